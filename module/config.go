package module

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/args"
	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

// Tolerance is how far a signed send time may be from the clock.
type Tolerance struct {
	// How old a delivery may be. -1 is off: the time is not judged.
	// Default: 5m, unless the scheme has another.
	Past caddy.Duration `json:"past,omitempty"`

	// How far ahead of the clock it may be. Default: as past, at most 5m.
	Future caddy.Duration `json:"future,omitempty"`
}

// ToleranceOff is the value of Past that switches the tolerance off.
const ToleranceOff = caddy.Duration(-1)

const (
	defaultMaxBody      = 5 << 20
	defaultBodyTimeout  = 10 * time.Second
	defaultAnswerWithin = 30 * time.Second
	defaultRetryAfter   = 30 * time.Second
	defaultTTL          = 24 * time.Hour
	// defaultTTLWithoutTime is longer because only the history stops replays.
	defaultTTLWithoutTime = 7 * 24 * time.Hour
)

// storeNone is the name of the store for `replay off`.
const storeNone = "none"

// Check returns an error if the configuration is invalid as written, before
// defaults and placeholders apply. The error says what to write instead. The
// Caddyfile adapter calls Check too, so that the error names file and line.
func (h *Handler) Check() error {
	scheme, err := h.findScheme()
	if err != nil {
		return err
	}
	if err := h.Tenants.check(); err != nil {
		return err
	}
	switch {
	case h.Tenants != nil && len(h.Secrets) > 0:
		return errors.New("tenants and secrets exclude each other; write the secrets into the files of the tenants, or leave tenants out")
	case h.Tenants == nil && len(h.Secrets) == 0:
		return errors.New("no secret; write the provider's secret behind the scheme, such as {env.WEBHOOK_SECRET}, or with the option secret")
	}
	for i, secret := range h.Secrets {
		if err := checkSecret(secret); err != nil {
			return fmt.Errorf("secret %d %w", i+1, err)
		}
	}
	if h.Provider != "" && !args.IsLabel(h.Provider) {
		return errors.New("provider: this is not a label; write 1 to 64 of a-z, 0-9, _ and -")
	}
	if err := h.checkPublicURL(scheme); err != nil {
		return err
	}
	if err := h.checkHandshake(scheme); err != nil {
		return err
	}
	for _, method := range h.Methods {
		if !args.IsMethod(method) {
			return errors.New("methods: one of them is not a method of a delivery; write methods such as POST, in upper case")
		}
	}
	if err := h.Tolerance.check(scheme); err != nil {
		return err
	}
	if err := h.checkNumbers(); err != nil {
		return err
	}
	if !slices.Contains([]string{"", DuplicateAck, DuplicateReject}, h.OnDuplicate) {
		return errors.New("on_duplicate: this is not known; write ack or reject")
	}
	if !slices.Contains([]string{"", ConflictReject, ConflictAck, ConflictForward}, h.OnConflict) {
		return errors.New("on_conflict: this is not known; write reject, ack or forward")
	}
	if err := checkEmit(h.Emit); err != nil {
		return err
	}
	if h.Observe && !headerOptionsOf(h.Emit).webhook {
		return errors.New("observe: the application would not be told the verdict; write emit webhook too, or take observe out")
	}
	if err := checkSigning(h.SignUpstream); err != nil {
		return err
	}
	if err := h.Capture.check(); err != nil {
		return err
	}
	if err := h.checkReplay(scheme); err != nil {
		return err
	}
	return h.checkInbox(scheme)
}

// checkNumbers checks the options that must be above zero. Zero selects the
// default.
func (h *Handler) checkNumbers() error {
	for _, option := range []struct {
		name string
		n    int64
	}{
		{"max_body", h.MaxBody},
		{"body_timeout", int64(h.BodyTimeout)},
		{"answer_within", int64(h.AnswerWithin)},
		{"retry_after", int64(h.RetryAfter)},
	} {
		if option.n < 0 {
			return fmt.Errorf("%s must be above zero; leave it out for the default", option.name)
		}
	}
	return nil
}

func (t *Tolerance) check(scheme schemes.Scheme) error {
	switch {
	case t == nil:
		return nil
	case scheme.Time() == schemes.NoTime:
		return fmt.Errorf("tolerance: %s has no signed time to judge; leave tolerance out, the replay history is what stops replays", scheme.Name())
	case t.Past < 0 && t.Past != ToleranceOff || t.Future < 0:
		return errors.New("tolerance must be above zero; write durations such as 5m, or off")
	case t.Past == ToleranceOff && t.Future != 0:
		return errors.New("tolerance off takes no other duration; write off alone")
	}
	return nil
}

// checkReplay checks the options that every store has against the rest of the
// configuration.
func (h *Handler) checkReplay(scheme schemes.Scheme) error {
	if h.ReplayRaw == nil {
		return h.checkTTL(scheme, replay.Options{})
	}
	var stored struct {
		replay.Options
		Store string `json:"store"`
	}
	if err := json.Unmarshal(h.ReplayRaw, &stored); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if stored.Store == storeNone {
		return nil
	}
	if h.Provider == "" && isShared(stored.Store) {
		return fmt.Errorf("replay: the history of %s is shared with other gateways, so it needs a name that you choose; write `provider <label>`", stored.Store)
	}
	if err := stored.Check(); err != nil {
		return err
	}
	if stored.Key == replay.KeyDelivery && scheme.Time() != schemes.TimeInHeaders {
		return fmt.Errorf("replay: key delivery needs a signed send time, and %s has none; write key content or leave it out", scheme.Name())
	}
	if stored.Key == replay.KeyDelivery && scheme.SignsID() {
		return fmt.Errorf("replay: key delivery is for events that cannot be told apart by their content, and deliveries of %s have an id of their own; write key content or leave it out", scheme.Name())
	}
	return h.checkTTL(scheme, stored.Options)
}

// checkTTL rejects a history that forgets a delivery while the delivery is
// still fresh.
func (h *Handler) checkTTL(scheme schemes.Scheme, o replay.Options) error {
	w := windowOf(scheme, h.Tolerance)
	least := w.Past + w.Future
	if least < w.Past { // overflow
		return errors.New("tolerance is longer than 292 years; write a shorter one, or off")
	}
	if w.Judged && ttlOf(scheme, o) < least {
		return fmt.Errorf("replay: ttl %s is below the tolerance's past and future together; write ttl %s or more",
			schemes.Short(ttlOf(scheme, o)), schemes.Short(least))
	}
	return nil
}

// isShared reports whether other processes share the history of a store. It
// looks only at the store's type, because the adapter has not loaded the store
// yet.
func isShared(store string) bool {
	info, err := caddy.GetModule(replay.Namespace + "." + store)
	if err != nil {
		return false // loading the store reports the error
	}
	_, shared := info.New().(replay.Shared)
	return shared
}

// ttlOf returns the time to live for a store's options and a scheme.
func ttlOf(scheme schemes.Scheme, o replay.Options) time.Duration {
	switch {
	case o.TTL != 0:
		return time.Duration(o.TTL)
	case scheme.Time() == schemes.TimeInHeaders:
		return defaultTTL
	}
	return defaultTTLWithoutTime
}

func (h *Handler) setDefaults(scheme schemes.Scheme) {
	if h.Provider == "" {
		h.Provider = h.Scheme
	}
	if len(h.Methods) == 0 {
		h.Methods = []string{http.MethodPost}
	}
	if h.BodyTimeout == 0 {
		h.BodyTimeout = caddy.Duration(defaultBodyTimeout)
	}
	if h.AnswerWithin == 0 {
		h.AnswerWithin = caddy.Duration(defaultAnswerWithin)
	}
	if h.RetryAfter == 0 {
		h.RetryAfter = caddy.Duration(defaultRetryAfter)
	}
	if h.OnDuplicate == "" {
		h.OnDuplicate = DuplicateAck
	}
	h.Capture.setDefaults()
	h.onConflict = cmp.Or(h.OnConflict, scheme.OnConflict())
	if h.defaultReplay = h.ReplayRaw == nil; h.defaultReplay {
		h.ReplayRaw = json.RawMessage(`{"store":"` + defaultStore(scheme) + `"}`)
	}
}

// defaultStore is the store of a history that nothing is written about.
func defaultStore(scheme schemes.Scheme) string {
	if scheme.Defaults().Replay == schemes.ReplayOff {
		return storeNone
	}
	return "memory"
}

// keyWithTime reports whether the send time is part of a delivery's identity.
func keyWithTime(scheme schemes.Scheme, o replay.Options) bool {
	return cmp.Or(o.Key, scheme.Defaults().Replay) == replay.KeyDelivery
}

// fitBudget sets the default of max_body and checks it against the budget of
// the process.
func (h *Handler) fitBudget(b bodies.Budget) error {
	h.budget = b
	if h.MaxBody == 0 {
		h.MaxBody = min(max(defaultMaxBody, h.scheme.Sending().LargestBody), b.LargestBody())
	}
	return b.CheckMaxBody(h.MaxBody)
}

// compileTimes sets the window of send times and the time to live.
func (h *Handler) compileTimes() {
	h.window = windowOf(h.scheme, h.Tolerance)
	h.ttl = ttlOf(h.scheme, h.store.Settings())
}

// allowHeader returns the value of the Allow header.
func allowHeader(methods []string) string { return strings.Join(methods, ", ") }

// replaySettings returns the configuration of a store in a form in which two of
// them can be compared.
func replaySettings(raw json.RawMessage) map[string]any {
	settings := settingsOf(raw)
	if settings["store"] == nil {
		settings["store"] = "memory"
	}
	return settings
}

// settingsOf returns the settings of a guest module.
func settingsOf(raw json.RawMessage) map[string]any {
	settings := map[string]any{}
	if raw != nil {
		_ = json.Unmarshal(raw, &settings) // Check reports what is not JSON
	}
	return settings
}

// weakerChoices returns the options that let more through, and a default of the
// scheme that does.
func (h *Handler) weakerChoices() []string {
	var weaker []string
	byDefault := " (the default of " + h.scheme.Name() + ")"
	if store, ok := h.store.(replay.InsecureOptions); ok {
		weaker = slices.Clone(store.WeakerChoices())
		for i := range weaker {
			if h.defaultReplay {
				weaker[i] += byDefault
			}
		}
	}
	if h.store.Settings().Key == "" && h.scheme.Defaults().Replay == schemes.ReplayDelivery {
		weaker = append(weaker, "replay key delivery"+byDefault)
	}
	if h.Tolerance == nil && h.window.Past > schemes.DefaultTolerance {
		weaker = append(weaker, "tolerance "+schemes.Short(h.window.Past)+byDefault)
	}
	if h.Tolerance != nil && h.Tolerance.Past == ToleranceOff && h.scheme.Time() == schemes.TimeInHeaders {
		weaker = append(weaker, "tolerance off")
	}
	if h.onConflict != ConflictReject {
		choice := "on_conflict " + h.onConflict
		if h.OnConflict == "" {
			choice += byDefault
		}
		weaker = append(weaker, choice)
	}
	if h.Observe {
		weaker = append(weaker, "observe")
	}
	return weaker
}

// findScheme returns the scheme by its name, or compiles the user's own.
func (h *Handler) findScheme() (schemes.Scheme, error) {
	known, ok := schemes.Get(h.Scheme)
	switch {
	case h.SchemeDefinition != nil && ok:
		return schemes.Scheme{}, fmt.Errorf("scheme_definition: there is a scheme %s already, and only one of the two could apply; give yours another name, or leave the definition out", h.Scheme)
	case h.SchemeDefinition != nil:
		own, err := h.SchemeDefinition.Compile(h.Scheme)
		if err != nil {
			return schemes.Scheme{}, fmt.Errorf("scheme_definition: %w", err)
		}
		return own, nil
	case !ok:
		return schemes.Scheme{}, fmt.Errorf("unknown scheme; write one of %s, or describe one of your own with scheme_definition",
			strings.Join(schemes.Names(), ", "))
	}
	return known, nil
}

// definitionText returns a definition in a form in which two of them can be
// compared. Its source is left out.
func definitionText(d *schemes.Definition) string {
	if d == nil {
		return ""
	}
	signs := *d
	signs.Source = ""
	text, _ := json.Marshal(signs) // nothing in it can fail
	return string(text)
}

// windowOf compiles a tolerance, which may be nil. A time that is only in the
// body need not be the time of sending, so it is judged only if asked for.
func windowOf(scheme schemes.Scheme, t *Tolerance) schemes.Window {
	switch {
	case t == nil:
		return scheme.Window()
	case scheme.Time() == schemes.NoTime, t.Past == ToleranceOff:
		return schemes.Window{}
	}
	return schemes.NewWindow(time.Duration(t.Past), time.Duration(t.Future))
}

// checkPublicURL rejects a URL that is invalid, or on which nothing depends.
func (h *Handler) checkPublicURL(scheme schemes.Scheme) error {
	if h.PublicURL == "" {
		return nil
	}
	if !scheme.SignsRequest() {
		return fmt.Errorf("public_url: %s does not sign the URL, so nothing depends on it; leave public_url out", scheme.Name())
	}
	if _, err := schemes.ParsePublicURL(h.PublicURL); err != nil {
		return fmt.Errorf("public_url: %w", err)
	}
	return nil
}
