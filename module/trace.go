package module

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// The span of a verification, and what it tells.
const (
	tracerName = "github.com/hooklatch/hooklatch/module"
	spanName   = "verify_webhook"

	attributeProvider = "webhook.provider"
	attributeVerdict  = "webhook.verdict"
	attributeReason   = "webhook.reason"
	attributeID       = "webhook.id"
	attributeObserved = "webhook.observed"
)

// startSpan begins a child of the span that the context has, if that one is
// recorded: Caddy's directive `tracing` makes it. Otherwise it gives nil.
func startSpan(ctx context.Context) trace.Span {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return nil
	}
	_, span := parent.TracerProvider().Tracer(tracerName).Start(ctx, spanName)
	return span
}

// endSpan ends the span with the verdict. What the application then does is no
// part of it.
func (d *delivery) endSpan() {
	if d.span == nil {
		return
	}
	attributes := []attribute.KeyValue{
		attribute.String(attributeProvider, d.handler.Provider),
		attribute.String(attributeVerdict, string(d.verdict)),
	}
	if d.reason != "" {
		attributes = append(attributes, attribute.String(attributeReason, string(d.reason)))
	}
	if d.passedOn() {
		attributes = append(attributes, attribute.Bool(attributeObserved, true))
	}
	if d.verified {
		attributes = append(attributes, attribute.String(attributeID, d.id()))
	}
	d.span.SetAttributes(attributes...)
	d.span.End()
	d.span = nil
}
