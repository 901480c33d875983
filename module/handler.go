// Package module is the Caddy side of Hooklatch: the HTTP handler that
// verifies deliveries, and the small app that the handlers of one
// configuration share.
package module

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/args"
	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

func init() { caddy.RegisterModule(Handler{}) }

// Handler verifies webhook deliveries and passes only authentic ones on.
//
// It buffers the body and verifies the provider's signature over the bytes as
// received. It then checks the signed send time and looks the delivery up in
// the replay history. An authentic, fresh and new delivery is forwarded
// unchanged, with the provider's headers translated into one common set,
// `Webhook-…`.
//
// If a later handler answers 2xx, the delivery is recorded as delivered. With
// any other answer, an error or no answer, it is not recorded, so a retry is
// forwarded.
//
// A rejection is an error that `handle_errors` can handle. By default its body
// is empty. When no later handler answers, the sender gets 502; when the answer
// does not begin in time, 503. The statuses of rejections are:
//
// Status | Meaning
// -------|--------
// 400 | the body is incomplete
// 401 | the signature, another signed header or the signed time is missing or wrong
// 405 | the method is not allowed
// 408 | the body arrived too slowly
// 409 | conflict
// 413 | the body is too large
// 503 | with Retry-After: the same event is being handled right now, there is no memory for the body, or the history or the secret of the tenant cannot be had
//
// A duplicate is answered with an empty 200, or with 409 if so configured.
//
// A conflict is delivered content that comes again with another event type or
// ID, which are not signed. With `on_conflict ack` it is answered with an empty
// 200 and logged as a warning. With `on_conflict forward` it is an event of its
// own.
//
// Later handlers, `handle_errors` and access logs can use these placeholders.
// Those from `event` on are set once the signature is verified:
//
// Placeholder | Description
// ------------|------------
// `{http.verify_webhook.verdict}` | accepted, duplicate or rejected
// `{http.verify_webhook.reason}` | the reason, if not accepted, or no_answer
// `{http.verify_webhook.provider}` | the label
// `{http.verify_webhook.scheme}` | the scheme
// `{http.verify_webhook.tenant}` | with `tenants` the tenant whose secret verified, otherwise the one that is signed
// `{http.verify_webhook.event}` | the event type, only if it is signed
// `{http.verify_webhook.id}` | the signed id, or sha256- and the replay key
// `{http.verify_webhook.occurrence_id}` | the provider's occurrence ID, which is not signed
// `{http.verify_webhook.unsigned_event}` | the event type that the provider sends and does not sign
// `{http.verify_webhook.sent_at}` | the signed send time, RFC 3339
// `{http.verify_webhook.age}` | its age in seconds
// `{http.verify_webhook.key}` | the number of the secret that matches; the first is 1
//
// The handler emits the events `webhook_accepted`, `webhook_duplicate` and
// `webhook_rejected`, and `webhook_drift` when 20 well-formed deliveries in a row
// did not verify, after the delivery is recorded or released. Their handlers
// run in the background, and no delivery waits for them. The data are
// `provider` and `reason`, the `tenant` if it is known, and once the signature is
// verified `id`, `key`, `event` and `age` (seconds), where the delivery has them.
//
// After the handler `tracing`, each verification is a span.
type Handler struct {
	// How the provider signs: the name of a scheme, such as stripe. The command
	// `webhook schemes` lists them.
	Scheme string `json:"scheme,omitempty"`

	// A scheme of your own: how the provider signs, as data. `scheme` is the name
	// that you give it.
	SchemeDefinition *schemes.Definition `json:"scheme_definition,omitempty"`

	// One or more secrets, the newest first. Any of them may match. Placeholders
	// such as {env.X} and {file.X} are resolved when the configuration is loaded.
	Secrets []string `json:"secrets,omitempty"`

	// Many tenants with secrets of their own, in place of `secrets`: a directory
	// with a file for each of them. A change there takes effect with the next
	// delivery. Each tenant has a history of its own under the label.
	Tenants *Tenants `json:"tenants,omitempty"`

	// The label of the provider in headers, logs and the history: 1 to 64 of
	// a-z, 0-9, _ and -. Default: the scheme.
	Provider string `json:"provider,omitempty"`

	// The address that senders use, for schemes that sign the URL, if a proxy
	// before the handler changes it: scheme, host and port as the provider has
	// them, and the prefix that the proxy removes from the path, such as
	// https://example.com/hooks. Default: https if the request came over TLS,
	// otherwise http, and the request's Host; X-Forwarded headers are ignored.
	PublicURL string `json:"public_url,omitempty"`

	// Answer the request that a provider sends before its first delivery, for
	// schemes with such a handshake: discord, meta, slack and zoom. The handler
	// never forwards it. Default: it is not answered.
	Handshake *Handshake `json:"handshake,omitempty"`

	// The allowed request methods. Default: POST.
	Methods []string `json:"methods,omitempty"`

	// How far the signed send time may be from the clock. Default: 5m past,
	// 5m future; for schemes whose only time is in the body, no check.
	Tolerance *Tolerance `json:"tolerance,omitempty"`

	// The largest body, in bytes. Default: 5 MiB, or more if the provider is known
	// to send more; at most the share of max_buffered for large bodies.
	MaxBody int64 `json:"max_body,omitempty"`

	// The time within which the whole body must arrive. Default: 10s.
	BodyTimeout caddy.Duration `json:"body_timeout,omitempty"`

	// The time within which the application must begin its answer. Default: 30s.
	AnswerWithin caddy.Duration `json:"answer_within,omitempty"`

	// The history of deliveries. Default: memory, unless the scheme has
	// another.
	ReplayRaw json.RawMessage `json:"replay,omitempty" caddy:"namespace=http.verify_webhook.replay_stores inline_key=store"`

	// The answer to an event that was already delivered: ack (200) or reject
	// (409). Default: ack.
	OnDuplicate string `json:"on_duplicate,omitempty"`

	// How to handle delivered content that comes again with other unsigned
	// values: reject (409), ack (200, not forwarded) or forward (as an event of
	// its own). Where occurrence IDs are unique, reject and ack answer 409 to new
	// content under a delivered ID. If the fields of a signed text are split
	// differently (Twilio), the answer is always 409. Default: the scheme's, which
	// is ack for github, forward for shopify, twilio and woocommerce, and reject
	// for all others.
	OnConflict string `json:"on_conflict,omitempty"`

	// The Retry-After of every 503 that this handler answers. Default: 30s.
	RetryAfter caddy.Duration `json:"retry_after,omitempty"`

	// The headers that the application gets: `webhook`, `cloudevents`, or both;
	// `none` alone for neither. Default: webhook.
	Emit []string `json:"emit,omitempty"`

	// The secrets with which the handler signs deliveries for the application, as
	// Standard Webhooks 1.0.0 defines it: `whsec_` and the base64 of 24 to 64
	// bytes. Each secret makes one signature. Placeholders are resolved when the
	// configuration is loaded. Default: deliveries are not signed.
	SignUpstream []string `json:"sign_upstream,omitempty"`

	// Verify and report, but let everything through. The application also gets
	// deliveries that would be rejected, with the verdict in `Webhook-Verdict`.
	// Use it for a trial with an application that verifies by itself. Default:
	// false.
	Observe bool `json:"observe,omitempty"`

	// Keep whole deliveries, with headers and body, for inspection. Default: none
	// are kept.
	Capture *Capture `json:"capture,omitempty"`

	// Where to keep deliveries that the application did not take, until it takes
	// them. Default: nowhere; the provider has to send them again.
	InboxRaw json.RawMessage `json:"inbox,omitempty" caddy:"namespace=http.verify_webhook.inboxes inline_key=inbox"`

	server   *caddyhttp.Server // the one that the handler runs in
	store    replay.Store
	box      inbox.Store    // nil without an inbox
	after    time.Duration  // the inbox's After, or its default
	history  *sharedHistory // one per label and configuration
	scheme   schemes.Scheme
	verifier *schemes.Verifier // nil with tenants
	secrets  []string          // resolved, to explain a mismatch
	tenants  *tenantSecrets    // nil without tenants
	keyer    *keyer

	onConflict string // OnConflict, or the scheme's default

	defaultReplay bool // nothing is written about the history

	publicURL    schemes.PublicURL // PublicURL, if there is one
	verifyTokens tokenSums         // of Handshake
	asked        schemes.Handshake // empty unless Handshake is set

	budget        bodies.Budget
	window        schemes.Window
	ttl           time.Duration
	allow         string // for the Allow header
	headerOptions headerOptions
	signer        *signer // nil without sign_upstream

	readNames, stayNames []string // the scheme's headers named like this handler's own, see ownNames

	events        *eventEmitter
	recorder      *recorder
	state         *labelState
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

// Provision resolves the secrets and sets up the handler. It changes nothing
// outside the handler: the history opens when the configuration starts.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := h.provision(ctx); err != nil {
		return fmt.Errorf("%s: %w", h.name(), err)
	}
	return nil
}

func (h *Handler) provision(ctx caddy.Context) error {
	for _, raw := range []*json.RawMessage{&h.ReplayRaw, &h.InboxRaw} {
		if string(*raw) == "null" { // templates write this for an unset value
			*raw = nil
		}
	}
	explicit := h.Provider != ""
	boxed := settingsOf(h.InboxRaw)
	if err := h.Check(); err != nil {
		return err
	}
	h.scheme, _ = h.findScheme() // Check knows it
	h.setDefaults(h.scheme)
	settings := replaySettings(h.ReplayRaw)
	if h.now == nil {
		h.now = systemClock
	}
	h.logger = sampled(ctx.Logger(), h.Provider)
	h.server, _ = ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	h.publicURL, _ = schemes.ParsePublicURL(h.PublicURL) // Check knows it
	h.allow = allowHeader(h.Methods)

	if err := h.loadStore(ctx); err != nil {
		return err
	}
	if err := h.loadInbox(ctx); err != nil {
		return err
	}
	h.compileTimes()
	h.headerOptions = headerOptionsOf(h.Emit)
	h.readNames, h.stayNames = h.headerOptions.ownNames(h.scheme)
	if err := h.compileSecrets(); err != nil {
		return err
	}
	h.keyer = newKeyer(h.scheme, keyWithTime(h.scheme, h.store.Settings()))

	var err error
	if h.events, err = newEventEmitter(ctx, h.logger); err != nil {
		return err
	}
	h.recorder = series.recorder(h.label(), h.countSecrets(), h.Observe)

	h.state = series.lastAccepted.of(h.label(), h.now())

	guest, err := ctx.App(appName)
	if err != nil {
		return err
	}
	app := guest.(*App)
	if err := h.fitBudget(app.budget); err != nil {
		return err
	}
	h.history, err = app.register(h, registration{
		label:    h.Provider,
		explicit: explicit,
		scheme:   h.Scheme,
		defined:  definitionText(h.SchemeDefinition),
		settings: settings,
		store:    h.store,
		ttl:      h.ttl,
		recorder: h.storeRecorder,
		box:      h.box,
		boxed:    boxed,
		after:    h.after,
		weaker:   h.weakerChoices(),
		handler:  h,
	})
	if err == nil && h.Capture != nil {
		app.capture(h.Capture.settings(h.Provider))
	}
	return err
}

// name returns the name of the handler in errors, before its defaults are set.
func (h *Handler) name() string {
	if args.IsLabel(h.Provider) {
		return "verify_webhook " + h.Provider
	}
	if _, err := h.findScheme(); err == nil {
		return "verify_webhook " + h.Scheme
	}
	return "verify_webhook"
}

// label returns the labels of the handler's metrics.
func (h *Handler) label() label { return label{provider: h.Provider, scheme: h.Scheme} }

// loadStore loads the store of the history.
func (h *Handler) loadStore(ctx caddy.Context) error {
	guest, err := ctx.LoadModule(h, "ReplayRaw")
	if err != nil {
		return fmt.Errorf("loading replay store: %w", err)
	}
	h.store = guest.(replay.Store)
	h.storeRecorder = series.storeRecorder(h.label(), guest.(caddy.Module).CaddyModule().ID.Name())
	return h.store.Settings().Check()
}

// countSecrets is how many secrets every delivery can be verified with.
func (h *Handler) countSecrets() int {
	if h.Tenants != nil {
		return 1 // some tenants have more
	}
	return len(h.Secrets)
}

// compileSecrets resolves the secrets and sets up handshake, verifier and signer.
func (h *Handler) compileSecrets() error {
	secrets, err := resolveSecrets(caddy.NewReplacer(), h.Secrets)
	if err != nil {
		return err
	}
	h.secrets = secrets
	for i, secret := range secrets {
		if hasMargin(secret) {
			h.logger.Warn("a secret has white space, a line end or a byte order mark around it; if the provider's own has none, write it without",
				zap.String("provider", h.Provider), zap.Int("secret", i+1))
		}
	}
	if err := h.compileHandshake(); err != nil {
		return err
	}
	judged := schemes.IgnoreTime()
	if h.window.Judged {
		judged = schemes.Tolerance(h.window.Past, h.window.Future)
	}
	clock := schemes.Clock(func() time.Time { return h.now() })
	compile := func(secrets []string) (*schemes.Verifier, error) {
		return h.scheme.NewVerifier(secrets, judged, clock)
	}
	if h.Tenants != nil {
		err = h.compileTenants(compile)
	} else {
		h.verifier, err = compile(secrets)
	}
	if err != nil {
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
