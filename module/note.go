package module

import (
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const placeholder = "http.verify_webhook."

// note makes a verdict visible: placeholders, fields of the access log, and a
// log line for what is not forwarded. None of them holds a secret, a MAC or a
// payload.
func (h *Handler) note(r *http.Request, d *delivery, v verdict, refused *refusal) {
	var reason Reason
	if refused != nil {
		reason = refused.reason
	}
	h.setPlaceholders(r, d, v, reason)
	if extra, ok := r.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); ok {
		extra.Set(zap.String("webhook_provider", h.Provider))
		extra.Set(zap.String("webhook_verdict", string(v)))
		if reason != "" {
			extra.Set(zap.String("webhook_reason", string(reason)))
		}
		if d.verified {
			extra.Set(zap.String("webhook_id", d.id()))
		}
	}
	if refused != nil {
		h.log(r, d, v, refused)
	}
}

func (h *Handler) setPlaceholders(r *http.Request, d *delivery, v verdict, reason Reason) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.Set(placeholder+"verdict", string(v))
	repl.Set(placeholder+"reason", string(reason))
	repl.Set(placeholder+"provider", h.Provider)
	if !d.verified {
		return
	}
	repl.Set(placeholder+"event", fit(d.facts.Event))
	repl.Set(placeholder+"id", d.id())
	repl.Set(placeholder+"occurrence_id", fit(d.occurrence.Value))
	repl.Set(placeholder+"unsigned_event", fit(d.unsigned.Value))
	repl.Set(placeholder+"key", strconv.Itoa(d.secret))
	var sentAt, age string
	if !d.sentAt.IsZero() {
		sentAt = d.sentAt.UTC().Format(milliseconds)
		age = strconv.FormatInt(int64(d.age()/time.Second), 10)
	}
	repl.Set(placeholder+"sent_at", sentAt)
	repl.Set(placeholder+"age", age)
}

// log writes what became of a delivery that was not forwarded. What is
// authentic and was refused all the same is a warning: an operator must see it.
func (h *Handler) log(r *http.Request, d *delivery, v verdict, refused *refusal) {
	level := zapcore.InfoLevel
	if d.verified && v == rejected && refused.reason != inFlight {
		level = zapcore.WarnLevel
	}
	message := "delivery rejected: " + string(refused.reason)
	switch v {
	case duplicateBefore:
		message = "delivery is a duplicate"
	case accepted:
		message = "delivery was not answered"
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
	if ip, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		fields = append(fields, zap.String("client_ip", ip))
	}
	if d.verified {
		fields = append(fields, zap.String("id", d.id()), zap.Int("key", d.secret))
		if event := fit(d.facts.Event); event != "" {
			fields = append(fields, zap.String("event", event))
		}
		if !d.sentAt.IsZero() {
			fields = append(fields, zap.Time("sent_at", d.sentAt.UTC()), zap.Duration("age", d.age()))
		}
	}
	entry.Write(fields...)
}

// sampled lets through the first entries of each message in a second and then
// one of many, so that a flood of forgeries cannot fill a disk.
func sampled(logger *zap.Logger) *zap.Logger {
	const first, thereafter = 10, 1000
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, first, thereafter)
	}))
}
