package module

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/deliveries"
	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/module/replay"
)

func init() { caddy.RegisterModule(App{}) }

const appName = "verify_webhook"

// App holds what the verify_webhook handlers of one configuration share: the
// labels in use, each with its history, and how much of their bodies may be in
// memory at once.
type App struct {
	// How many bytes of bodies the whole process holds at once. When the limit is
	// reached, deliveries are answered 503 until others are done. An eighth is
	// reserved for bodies up to 64 KiB. Default: 256 MiB, or a quarter of
	// GOMEMLIMIT if that is less.
	MaxBuffered int64 `json:"max_buffered,omitempty"`

	// How many deliveries the process remembers, without their bodies, for
	// `webhook list`, the page and the admin endpoint. 0 for none. Default: 1000.
	Recent *int `json:"recent,omitempty"`

	ctx           caddy.Context
	logger        *zap.Logger
	budget        bodies.Budget
	histories     map[string]*sharedHistory
	capturing     map[deliveries.Capturing]bool
	endCaptures   []func()
	handlers      map[string][]*Handler // by label
	places        map[string]*Handler   // of inboxes, each with one handler that has its inbox there
	historyPlaces []string              // of histories in files
	orphans       []*openInbox          // inboxes of labels that no handler has any more

	emitsCloudEvents bool // some handler does

	weaker []string // choices that belong to no label

	isActive func() bool // replaced by tests
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  appName,
		New: func() caddy.Module { return new(App) },
	}
}

// Provision sets up the app.
func (a *App) Provision(ctx caddy.Context) error {
	if a.MaxBuffered < 0 {
		return errors.New("max_buffered must be above zero; leave it out for the default")
	}
	if a.Recent != nil && (*a.Recent < 0 || *a.Recent > maxRecent) {
		return fmt.Errorf("recent: write a number up to %d, or 0 for none", maxRecent)
	}
	a.ctx = ctx
	a.logger = ctx.Logger()
	a.budget = bodies.NewBudget(a.MaxBuffered)
	a.histories = map[string]*sharedHistory{}
	a.capturing = map[deliveries.Capturing]bool{}
	a.handlers = map[string][]*Handler{}
	a.places = map[string]*Handler{}
	a.isActive = func() bool { return activeApp() == a }
	if err := a.observeEnd(); err != nil {
		return err
	}
	return series.register(ctx.GetMetricsRegistry())
}

// registration describes a handler to the app.
type registration struct {
	label    string
	explicit bool // the label was written, not derived from the scheme
	scheme   string
	defined  string         // the definition, if the scheme is the user's own
	settings map[string]any // of the replay store, as written
	store    replay.Store
	ttl      time.Duration
	recorder *storeRecorder
	handler  *Handler
	box      inbox.Store    // nil without an inbox
	boxed    map[string]any // its settings, as written
	after    time.Duration  // of the inbox
	weaker   []string       // choices that let more through
}

// register claims a label for a handler and returns the history of the label. A
// provider may send the same bytes to several URLs, and each handler must get
// them. So handlers share a history only if the configuration says so
// explicitly.
func (a *App) register(h *Handler, r registration) (*sharedHistory, error) {
	if err := a.claimPlace(h); err != nil {
		return nil, err
	}
	a.emitsCloudEvents = a.emitsCloudEvents || h.headerOptions.cloudEvents
	known, taken := a.histories[r.label]
	if !taken {
		known = &sharedHistory{registration: r, app: a, ctx: a.ctx, now: time.Now, closed: make(chan struct{})}
		a.histories[r.label] = known
		a.handlers[r.label] = []*Handler{h}
		return known, nil
	}
	switch {
	case !known.explicit || !r.explicit:
		return nil, fmt.Errorf("another handler has the label %q too, and a label has one history: what one of them delivered would be a duplicate at the other; write `provider <label>` in each, with different labels to tell them apart or the same one to share the history (a site with an http and an https address is two handlers)", r.label)
	case known.scheme != r.scheme:
		return nil, fmt.Errorf("another handler has the label %q with the scheme %s; write different labels with `provider <label>`", r.label, known.scheme)
	case known.defined != r.defined:
		return nil, fmt.Errorf("another handler has the label %q with another definition of the scheme %s; write the same one in both, best with an import, or different labels with `provider <label>`", r.label, r.scheme)
	case !reflect.DeepEqual(known.boxed, r.boxed):
		return nil, fmt.Errorf("another handler has the label %q with other inbox settings; write the same ones in both, or different labels with `provider <label>`", r.label)
	case !reflect.DeepEqual(known.settings, r.settings):
		return nil, fmt.Errorf("another handler has the label %q with other replay settings; write the same ones in both, or different labels with `provider <label>`", r.label)
	}
	known.weaker = append(known.weaker, r.weaker...)
	a.handlers[r.label] = append(a.handlers[r.label], h)
	return known, nil
}

// NameWeaker makes Start log a choice that lets more through and belongs to no
// label.
func (a *App) NameWeaker(choice string) { a.weaker = append(a.weaker, choice) }

// Start checks the proxies, opens the histories and logs the weaker choices.
func (a *App) Start() error {
	if err := a.checkProxies(); err != nil {
		return err
	}
	recent.Resize(a, a.recentRoom())
	a.beginCapturing()
	if len(a.weaker) > 0 {
		a.logger.Warn("weaker choices are configured", zap.Strings("choices", a.weaker))
	}
	for _, label := range slices.Sorted(maps.Keys(a.histories)) {
		shared := a.histories[label]
		if err := shared.open(); err != nil {
			return err
		}
		if kept := shared.currentInbox(); kept != nil {
			kept.start()
		}
		if len(shared.weaker) > 0 {
			a.logger.Warn("weaker choices are configured",
				zap.String("provider", label), zap.Strings("choices", shared.weaker))
		}
	}
	a.openOrphans()
	return nil
}

// Stop stops the schedulers of the inboxes. It leaves the histories open,
// because deliveries may still be in flight. It ends the responses that show
// deliveries as they arrive, because Caddy would otherwise wait for them.
func (a *App) Stop() error {
	for _, shared := range a.histories {
		shared.stopAttempts()
	}
	recent.EndFollowers()
	return nil
}

// capture makes Start begin to capture deliveries of a label.
func (a *App) capture(settings deliveries.Capturing) {
	a.capturing[settings] = true
	shared := a.histories[settings.Provider]
	shared.outlived = shared.outlived || shared.outlives(settings)
}

func (a *App) beginCapturing() {
	for settings := range a.capturing {
		a.endCaptures = append(a.endCaptures, recent.Capture(settings, spareMemory{a.budget}))
	}
}

// recentRoom is how many deliveries are remembered.
func (a *App) recentRoom() int {
	if a.Recent == nil {
		return defaultRecent
	}
	return *a.Recent
}

// Cleanup releases the histories that this configuration opened, and only
// those. It also runs for a configuration that failed to load, and must not
// take anything from the running one.
func (a *App) Cleanup() error {
	recent.Forget(a)
	for _, end := range a.endCaptures {
		end()
	}
	for _, shared := range a.histories {
		shared.stopAttempts()
		shared.close()
	}
	a.closeOrphans()
	if caddy.Exiting() {
		a.awaitAttempts()
	}
	return nil
}

// awaitAttempts waits for running attempts, so that their deliveries are not
// attempted again at the next start. The process itself waits only for
// requests, and the senders of these deliveries have been answered.
func (a *App) awaitAttempts() {
	limit := time.After(longestAttempt)
	for _, shared := range a.histories {
		select {
		case <-shared.closed:
		case <-limit:
			a.logger.Warn("the process ends before attempts of kept deliveries have ended; they are made again",
				zap.String("provider", shared.label))
			return
		}
	}
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
