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

// setPlaceholders sets the placeholders. Their values are computed only when
// they are read. If two handlers judge one request, the placeholders show the
// last verdict.
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

// placeholders are the names of the placeholders. Those that need a verified
// signature come last.
var placeholders = []string{
	"verdict", "reason", "provider", "scheme", "attempt",
	"event", "tenant", "id", "occurrence_id", "unsigned_event", "sent_at", "age", "key",
}

// placeholder returns the value of a placeholder.
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

// setLogFields adds the delivery to the access log, if the server has one.
func (d *delivery) setLogFields(r *http.Request) {
	if extra := extraLogFields(r); extra != nil {
		for _, field := range d.logFields() {
			extra.Set(field)
		}
	}
}

// setInboxField adds the outcome of the inbox to the list and to the access
// log.
func (d *delivery) setInboxField(r *http.Request, outcome string) {
	d.kept = outcome
	if extra := extraLogFields(r); extra != nil {
		extra.Set(zap.String("webhook_inbox", outcome))
	}
}

// extraLogFields returns the extra fields of a request for the access log, or
// nil if the server has no access log.
func extraLogFields(r *http.Request) *caddyhttp.ExtraLogFields {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Logs == nil {
		return nil
	}
	extra, _ := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	return extra
}

// logFields returns the fields that a delivery adds to the access log.
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

// log writes a log line for a delivery that was not forwarded. The line is a
// warning if the delivery is authentic and was rejected for any reason other
// than in_flight, and for every conflict: an operator must see these.
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

// messages holds the messages of the known reasons, made once.
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

// The span of a verification and its attributes.
const (
	tracerName = "github.com/hooklatch/hooklatch/module"
	spanName   = "verify_webhook"

	attributeProvider = "webhook.provider"
	attributeVerdict  = "webhook.verdict"
	attributeReason   = "webhook.reason"
	attributeID       = "webhook.id"
	attributeObserved = "webhook.observed"
)

// startSpan starts a child of the span in the context, if that one is recorded;
// Caddy's directive `tracing` creates it. Otherwise it returns nil.
func startSpan(ctx context.Context) trace.Span {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return nil
	}
	_, span := parent.TracerProvider().Tracer(tracerName).Start(ctx, spanName)
	return span
}

// endSpan ends the span with the verdict. The span does not include the time
// that the application takes.
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

// logSampler is the sampler of the whole process. zap's own sampler has a table
// of half a megabyte, and every handler would need one.
var logSampler sampler

// sampler writes the first entries of each second for each label and message,
// and then one in a thousand, so that a flood of forgeries cannot fill a disk.
type sampler struct {
	mu      sync.Mutex
	began   time.Time // of the current second
	counted map[sampleKey]int
}

// sampleKey is the key by which entries are counted. Labels come from the
// configuration and messages from fixed lists; maxSampleKeys limits their
// number nevertheless.
type sampleKey struct{ label, message string }

const (
	sampleFirst      = 10
	sampleThereafter = 1000

	// maxSampleKeys is how many keys are counted separately in one second. All
	// further ones are counted together.
	maxSampleKeys = 4096
)

// allows counts an entry and reports whether to write it.
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

// sampled returns a logger for the handlers of a label, limited by the sampler
// of the process.
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

// With returns a core with more fields and the same sampler.
func (c sampledCore) With(fields []zapcore.Field) zapcore.Core {
	c.Core = c.Core.With(fields)
	return c
}

// Check adds the core to those that write the entry, if the sampler allows it.
func (c sampledCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(entry.Level) || !c.sampler.allows(sampleKey{c.label, entry.Message}, entry.Time) {
		return checked
	}
	return c.Core.Check(entry, checked)
}
