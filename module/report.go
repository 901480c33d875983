package module

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const placeholder = "http.verify_webhook."

// recordVerdict makes a verdict visible: in placeholders, in fields of the access
// log, and in a log line if the delivery is not forwarded. None of them holds a
// secret, a MAC or a payload.
func (h *Handler) recordVerdict(r *http.Request, d *delivery, v verdict, refused *refusal) {
	if d.verdict == "" {
		h.recorder.judged(d, h.now)
	}
	d.verdict = v
	if refused != nil {
		d.reason = refused.reason
		d.hint = refused.hint()
	}
	d.endSpan()
	d.setPlaceholders(r)
	d.setLogFields(r)
	if refused != nil {
		h.log(r, d, v, refused)
	}
	if v != accepted && !h.Observe {
		noteRefusal(r, d.reason)
	}
}

// setPlaceholders has the values worked out only when somebody asks. Of two
// handlers on one request, the last one to judge is heard.
func (d *delivery) setPlaceholders(r *http.Request) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok || d.mapped {
		return
	}
	if _, again := repl.Get(placeholder + "verdict"); !again {
		d.mapped = true
		repl.Map(d.placeholder)
		return
	}
	for _, name := range placeholders {
		if value, ok := d.placeholder(placeholder + name); ok {
			repl.Set(placeholder+name, value)
		} else {
			repl.Delete(placeholder + name)
		}
	}
}

// placeholders are their names, those that need a verified signature last.
var placeholders = []string{
	"verdict", "reason", "provider", "scheme", "attempt",
	"event", "tenant", "id", "occurrence_id", "unsigned_event", "sent_at", "age", "key",
}

// placeholder gives the value of a placeholder.
func (d *delivery) placeholder(name string) (any, bool) {
	name, ok := strings.CutPrefix(name, placeholder)
	if !ok {
		return nil, false
	}
	switch name {
	case "verdict":
		return string(d.verdict), true
	case "reason":
		return string(d.reason), true
	case "provider":
		return d.handler.Provider, true
	case "scheme":
		return d.handler.Scheme, true
	case "attempt":
		if d.attempt == 0 {
			return "", true
		}
		return strconv.Itoa(d.attempt), true
	}
	if !d.verified {
		return nil, false
	}
	switch name {
	case "event":
		return fit(d.facts.Type), true
	case "tenant":
		return fit(d.facts.Tenant), true
	case "id":
		return d.id(), true
	case "occurrence_id":
		return fit(d.occurrence.Value), true
	case "unsigned_event":
		return fit(d.unsigned.Value), true
	case "sent_at":
		if d.sentAt.IsZero() {
			return "", true
		}
		return d.sentAt.UTC().Format(milliseconds), true
	case "age":
		if d.sentAt.IsZero() {
			return "", true
		}
		return strconv.FormatInt(int64(d.age()/time.Second), 10), true
	case "key":
		return strconv.Itoa(d.secret), true
	}
	return nil, false
}

// setLogFields adds to the access log, if the server has one.
func (d *delivery) setLogFields(r *http.Request) {
	if extra := extraLogFields(r); extra != nil {
		for _, field := range d.logFields() {
			extra.Set(field)
		}
	}
}

// setInboxField adds what the inbox did to the list and to the access log.
func (d *delivery) setInboxField(r *http.Request, outcome string) {
	d.kept = outcome
	if extra := extraLogFields(r); extra != nil {
		extra.Set(zap.String("webhook_inbox", outcome))
	}
}

// extraLogFields returns what a request adds to the access log, or nil if the
// server has none.
func extraLogFields(r *http.Request) *caddyhttp.ExtraLogFields {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Logs == nil {
		return nil
	}
	extra, _ := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	return extra
}

// logFields returns what the access log gains.
func (d *delivery) logFields() []zap.Field {
	fields := []zap.Field{
		zap.String("webhook_provider", d.handler.Provider),
		zap.String("webhook_scheme", d.handler.Scheme),
		zap.String("webhook_verdict", string(d.verdict)),
	}
	if d.reason != "" {
		fields = append(fields, zap.String("webhook_reason", string(d.reason)))
	}
	if d.verified {
		fields = append(fields, zap.String("webhook_id", d.id()))
		if event := fit(d.facts.Type); event != "" {
			fields = append(fields, zap.String("webhook_event", event))
		}
	}
	if tenant := d.shownTenant(); tenant != "" {
		fields = append(fields, zap.String("webhook_tenant", tenant))
	}
	if d.passedOn() {
		fields = append(fields, zap.Bool("webhook_observed", true))
	}
	return fields
}

// log writes what became of a delivery that was not forwarded. What is
// authentic and was refused all the same is a warning, as is every conflict: an
// operator must see it.
func (h *Handler) log(r *http.Request, d *delivery, v verdict, refused *refusal) {
	level := zapcore.InfoLevel
	if d.verified && (v == rejected && refused.reason != inFlight || refused.reason == conflict) {
		level = zapcore.WarnLevel
	}
	message := refusedMessages.of(refused.reason)
	switch {
	case v == accepted:
		message = "delivery was not answered"
	case v == duplicateBefore && refused.reason == conflict && h.Observe:
		message = "delivery would be acknowledged, and was passed on: conflict"
	case v == duplicateBefore && refused.reason == conflict:
		message = "delivery acknowledged and not forwarded: conflict"
	case v == duplicateBefore && h.Observe:
		message = "delivery is a duplicate, and was passed on"
	case v == duplicateBefore:
		message = "delivery is a duplicate"
	case h.Observe:
		message = observedMessages.of(refused.reason)
	}
	entry := h.logger.Check(level, message)
	if entry == nil {
		return
	}
	fields := []zap.Field{
		zap.String("provider", h.Provider),
		zap.String("reason", string(refused.reason)),
		zap.String("detail", refused.detail),
	}
	if tenant := d.shownTenant(); tenant != "" {
		fields = append(fields, zap.String("tenant", tenant))
	}
	if refused.lookalike != "" {
		fields = append(fields, zap.String("hint", refused.lookalike))
	}
	if ip, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		fields = append(fields, zap.String("client_ip", ip))
	}
	if d.verified {
		fields = append(fields, zap.String("id", d.id()), zap.Int("key", d.secret))
		if event := fit(d.facts.Type); event != "" {
			fields = append(fields, zap.String("event", event))
		}
		if !d.sentAt.IsZero() {
			fields = append(fields, zap.String("sent_at", d.sentAt.UTC().Format(milliseconds)), zap.Duration("age", d.age()))
		}
	}
	entry.Write(fields...)
}

// The messages have the reason in them, because sampling goes by the message.
var (
	refusedMessages  = newMessages("delivery rejected: ")
	observedMessages = newMessages("delivery would be rejected, and was passed on: ")
)

// messages are those of the known reasons, made once.
type messages struct {
	beginning string
	known     map[Reason]string
}

func newMessages(beginning string) messages {
	m := messages{beginning, map[Reason]string{}}
	for reason := range statuses {
		m.known[reason] = beginning + string(reason)
	}
	return m
}

func (m messages) of(reason Reason) string {
	if message, known := m.known[reason]; known {
		return message
	}
	return m.beginning + string(reason)
}

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

// logSampler is one for the process. The sampler of zap has a table of half a
// megabyte, and every handler would have one.
var logSampler sampler

// sampler lets the first entries of each label and message in a second through,
// and then one of many, so that a flood of forgeries cannot fill a disk.
type sampler struct {
	mu      sync.Mutex
	began   time.Time // of the second that is counted
	counted map[sampleKey]int
}

// sampleKey is what entries are counted by. Both are from the configuration and
// from fixed lists, and maxSampleKeys bounds them all the same.
type sampleKey struct{ label, message string }

const (
	sampleFirst      = 10
	sampleThereafter = 1000

	// maxSampleKeys is how many keys are counted apart in one second. Further
	// ones are counted together.
	maxSampleKeys = 4096
)

// allows counts an entry and reports whether it is written.
func (s *sampler) allows(key sampleKey, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := at.Sub(s.began); s.counted == nil || age < 0 || age >= time.Second {
		s.began = at
		if s.counted == nil {
			s.counted = map[sampleKey]int{}
		}
		clear(s.counted)
	}
	if _, known := s.counted[key]; !known && len(s.counted) >= maxSampleKeys {
		key = sampleKey{}
	}
	s.counted[key]++
	n := s.counted[key]
	return n <= sampleFirst || (n-sampleFirst)%sampleThereafter == 0
}

// sampled returns a logger for the handlers of a label that the process's
// sampler restrains.
func sampled(logger *zap.Logger, label string) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return sampledCore{core, &logSampler, label}
	}))
}

// sampledCore asks the sampler before an entry is written.
type sampledCore struct {
	zapcore.Core
	sampler *sampler
	label   string
}

// With returns a core with fields that the same sampler restrains.
func (c sampledCore) With(fields []zapcore.Field) zapcore.Core {
	c.Core = c.Core.With(fields)
	return c
}

// Check adds the core to what is written, if the entry is.
func (c sampledCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(entry.Level) || !c.sampler.allows(sampleKey{c.label, entry.Message}, entry.Time) {
		return checked
	}
	return c.Core.Check(entry, checked)
}
