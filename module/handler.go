// Package module is the Caddy side of Hooklatch: the HTTP handler that
// verifies deliveries, and the small app that holds what is one per
// configuration.
package module

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/tokens"
	"github.com/hooklatch/hooklatch/schemes"
)

func init() { caddy.RegisterModule(Handler{}) }

// Handler verifies that a webhook delivery really comes from its provider.
//
// It buffers the body, verifies the provider's signature over the bytes as
// they were received, the signed time and the history of what has already been
// delivered, and passes only authentic, fresh and new deliveries on: unchanged,
// with the provider's headers translated into one set of `Webhook-` headers.
//
// A delivery is recorded as delivered when the handlers behind this one answer
// 2xx. Any other answer, an error or none at all releases it, so that the
// provider's retry is forwarded.
//
// A refusal is an error that `handle_errors` can handle; by default its body is
// empty. The statuses are 401 for everything about the signature and its time,
// 405 (method), 408 (body too slow), 400 (body incomplete), 413 (body too
// large), 409 (conflict), 503 with Retry-After (being handled right now, no
// memory left for its body, or the history cannot be reached). A duplicate is answered with an empty 200, or 409
// if so configured. A conflict is content that has been delivered and comes again
// with another event type or ID, which are not signed: with `on_conflict ack` it
// is answered with an empty 200 and logged as a warning, with `forward` it is an
// event of its own. When nothing behind the handler answers, the sender gets
// 502; when it does not answer in time, 503.
//
// These placeholders are set for later handlers, `handle_errors` and access
// logs, those from `event` on once the signature is verified:
//
// Placeholder | Description
// ------------|------------
// `{http.verify_webhook.verdict}` | accepted, duplicate or rejected
// `{http.verify_webhook.reason}` | why, if not accepted, or no_answer
// `{http.verify_webhook.provider}` | the label
// `{http.verify_webhook.event}` | the event type, only if it is signed
// `{http.verify_webhook.id}` | the signed id, or sha256- and the replay key
// `{http.verify_webhook.occurrence_id}` | the provider's occurrence ID, which is not signed
// `{http.verify_webhook.unsigned_event}` | the event type that the provider sends and does not sign
// `{http.verify_webhook.sent_at}` | the signed send time, RFC 3339
// `{http.verify_webhook.age}` | its age in seconds
// `{http.verify_webhook.key}` | which secret matches; the first is 1
//
// It emits the events `webhook_accepted`, `webhook_duplicate` and
// `webhook_rejected`, once all is settled: their handlers run beside, and no
// delivery waits for them. Their data are `provider`, `reason`, and once the
// signature is verified `id`, `key`, `event` and `age` (seconds), as far as
// there are such.
//
// With the handler `tracing` in front of it, a verification is a span.
type Handler struct {
	// How the provider signs: easytools, mceasy, cryptr, craneops, standard,
	// github, stripe, slack, shopify, twilio, square, paddle, meta, linear, zoom,
	// gitlab, discord or sendgrid.
	Scheme string `json:"scheme,omitempty"`

	// The scheme, if it is one of your own: how the provider signs, as data.
	// `scheme` is the name that you give it.
	SchemeDefinition *schemes.Definition `json:"scheme_definition,omitempty"`

	// The secrets, any one of which may match; the newest comes first.
	// Placeholders such as {env.X} and {file.X} are resolved when the
	// configuration is loaded.
	Secrets []string `json:"secrets,omitempty"`

	// The label of the provider in headers, logs and the history: 1 to 64 of
	// a-z, 0-9, _ and -. Default: the scheme.
	Provider string `json:"provider,omitempty"`

	// Where senders reach the gateway, for schemes that sign the URL, if
	// something in front changes it: scheme, host and port as the provider has
	// them, and the beginning of the path that is taken away in front, such as
	// https://example.com/hooks. Default: https if the request came over TLS,
	// else http, and the request's Host; X-Forwarded headers do not count.
	PublicURL string `json:"public_url,omitempty"`

	// Answer what the provider asks before it delivers anything, for schemes
	// that have such a handshake: discord, meta, slack and zoom. It is answered
	// here and never forwarded. Default: it is not answered.
	Handshake *Handshake `json:"handshake,omitempty"`

	// The methods that deliveries come with. Default: POST.
	Methods []string `json:"methods,omitempty"`

	// How far the signed send time may be from the clock. Default: 5m past,
	// 5m future; for schemes whose only time is in the body: not judged.
	Tolerance *Tolerance `json:"tolerance,omitempty"`

	// The largest body, in bytes. Default: 5 MiB, or what max_buffered leaves for
	// large bodies if that is less.
	MaxBody int64 `json:"max_body,omitempty"`

	// Within which time the whole body must arrive. Default: 10s.
	BodyTimeout caddy.Duration `json:"body_timeout,omitempty"`

	// Within which time the application must begin its answer. Default: 30s.
	AnswerWithin caddy.Duration `json:"answer_within,omitempty"`

	// The history of what has been delivered. Default: memory.
	ReplayRaw json.RawMessage `json:"replay,omitempty" caddy:"namespace=http.verify_webhook.replay_stores inline_key=store"`

	// The answer to what has already been delivered: ack (200) or reject
	// (409). Default: ack.
	OnDuplicate string `json:"on_duplicate,omitempty"`

	// What becomes of content that has been delivered and comes again with
	// other values that are not signed: reject (409), ack (200, not forwarded)
	// or forward (as an event of its own). Where occurrence IDs are unique, reject
	// and ack answer 409 to new content under a delivered one. Another cut of a
	// signed text that can be cut in several ways (Twilio) is always answered
	// 409. Default: the scheme's, which is ack for github, forward for shopify
	// and twilio, and reject for all others.
	OnConflict string `json:"on_conflict,omitempty"`

	// The Retry-After of every 503 that this handler answers. Default: 30s.
	RetryAfter caddy.Duration `json:"retry_after,omitempty"`

	// Which headers the application gets: `webhook`, `cloudevents`, or both;
	// `none` alone for neither. Default: webhook.
	Emit []string `json:"emit,omitempty"`

	// The secrets under which deliveries are signed for the application, as
	// Standard Webhooks 1.0.0 has it: `whsec_` and the base64 of 24 to 64
	// bytes. There is one signature for each. Placeholders are resolved when
	// the configuration is loaded. Default: they are not signed.
	SignUpstream []string `json:"sign_upstream,omitempty"`

	// Decide and report, but let everything through: the application gets what
	// would be refused too, with the verdict in `Webhook-Verdict`. For a trial
	// in front of an application that verifies by itself. Default: false.
	Observe bool `json:"observe,omitempty"`

	store    replay.Store
	history  *sharedHistory // one per label and configuration
	scheme   *schemes.Scheme
	verifier *schemes.Verifier
	keyer    *keyer

	onConflict string // OnConflict, or the scheme's default

	publicURL schemes.PublicURL // PublicURL, if there is one
	tokens    tokenSums         // Handshake's

	budget budget
	window schemes.Window
	ttl    time.Duration
	allow  string // for the Allow header
	emits  emits
	signer *signer // nil without sign_upstream

	readNames, stayNames []string // the scheme's headers that look like this handler's, see ownNames

	events        *emitter
	recorder      *recorder
	storeRecorder *storeRecorder
	logger        *zap.Logger // sampled: a flood of forgeries must not fill a disk
	now           func() time.Time
}

// The values of OnDuplicate and OnConflict.
const (
	DuplicateAck    = "ack"
	DuplicateReject = "reject"
	ConflictReject  = schemes.ConflictReject
	ConflictAck     = schemes.ConflictAck
	ConflictForward = schemes.ConflictForward
)

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.verify_webhook",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision resolves the secrets and sets up the handler. It has no effect
// outside of it: the history is opened when the configuration starts.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := h.provision(ctx); err != nil {
		return fmt.Errorf("%s: %w", h.name(), err)
	}
	return nil
}

func (h *Handler) provision(ctx caddy.Context) error {
	if string(h.ReplayRaw) == "null" { // as templates write what is not set
		h.ReplayRaw = nil
	}
	explicit := h.Provider != ""
	settings := replaySettings(h.ReplayRaw)
	if err := h.Check(); err != nil {
		return err
	}
	h.scheme, _ = h.findScheme() // Check knows it
	h.setDefaults(h.scheme)
	if h.now == nil {
		h.now = systemClock
	}
	h.logger = sampled(ctx.Logger(), h.Provider)
	h.publicURL, _ = schemes.ParsePublicURL(h.PublicURL) // Check knows it
	h.allow = allowHeader(h.Methods)

	if err := h.loadStore(ctx); err != nil {
		return err
	}
	h.compileTimes()
	h.emits = emitsOf(h.Emit)
	h.readNames, h.stayNames = h.emits.ownNames(h.scheme)
	if err := h.compileSecrets(); err != nil {
		return err
	}
	h.keyer = newKeyer(h.Provider, h.scheme, h.store.Settings().Key == replay.KeyDelivery)

	var err error
	if h.events, err = newEmitter(ctx, h.logger); err != nil {
		return err
	}
	h.recorder = series.recorder(h.label(), len(h.Secrets), h.Observe)

	guest, err := ctx.App(appName)
	if err != nil {
		return err
	}
	app := guest.(*App)
	if err := h.fitBudget(app.budget); err != nil {
		return err
	}
	h.history, err = app.register(registration{
		label:    h.Provider,
		explicit: explicit,
		scheme:   h.Scheme,
		defined:  definitionText(h.SchemeDefinition),
		settings: settings,
		store:    h.store,
		ttl:      h.ttl,
		recorder: h.storeRecorder,
		weaker:   h.weakerChoices(),
	})
	return err
}

// name is how errors call the handler before its defaults are set.
func (h *Handler) name() string {
	if tokens.IsLabel(h.Provider) {
		return "verify_webhook " + h.Provider
	}
	if _, err := h.findScheme(); err == nil {
		return "verify_webhook " + h.Scheme
	}
	return "verify_webhook"
}

// label returns what the handler's metrics are labelled with.
func (h *Handler) label() label { return label{provider: h.Provider, scheme: h.Scheme} }

// loadStore loads the guest, memory if there is none.
func (h *Handler) loadStore(ctx caddy.Context) error {
	if h.ReplayRaw == nil {
		h.ReplayRaw = json.RawMessage(`{"store":"memory"}`)
	}
	guest, err := ctx.LoadModule(h, "ReplayRaw")
	if err != nil {
		return fmt.Errorf("loading replay store: %w", err)
	}
	h.store = guest.(replay.Store)
	h.storeRecorder = series.storeRecorder(h.label(), guest.(caddy.Module).CaddyModule().ID.Name())
	return h.store.Settings().Check()
}

// compileSecrets resolves the secrets and prepares what uses them.
func (h *Handler) compileSecrets() error {
	secrets, err := resolveSecrets(caddy.NewReplacer(), h.Secrets)
	if err != nil {
		return err
	}
	if err := h.compileHandshake(); err != nil {
		return err
	}
	judged := schemes.IgnoreTime()
	if h.window.Judged {
		judged = schemes.Tolerance(h.window.Past, h.window.Future)
	}
	clock := schemes.Clock(func() time.Time { return h.now() })
	if h.verifier, err = h.scheme.NewVerifier(secrets, judged, clock); err != nil {
		return err
	}
	h.signer, err = newSigner(h.SignUpstream)
	return err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
