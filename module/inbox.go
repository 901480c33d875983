package module

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

// labelInbox is the open inbox of a label in one configuration.
type labelInbox struct {
	label   label
	opened  inbox.Inbox
	history replay.History // as opened, without the check of the inbox
	options inbox.Options
	always  bool
	after   time.Duration

	app    *App
	shared *sharedHistory
	logger *zap.Logger
	events *eventEmitter
	record inboxRecorder
	listed *openInbox    // for metrics and the admin endpoint
	wake   chan struct{} // has the scheduler look again
	trying redeliveries
}

// openInbox opens the inbox of a label, if it has one.
func (s *sharedHistory) openInbox(history replay.History) (*labelInbox, error) {
	if s.box == nil {
		return nil, nil
	}
	b := &labelInbox{
		label: label{s.label, s.scheme}, history: history,
		options: s.box.Settings().WithDefaults(), after: s.after,
		app: s.app, shared: s, logger: sampled(s.ctx.Logger(), s.label),
		events: s.app.handlers[s.label][0].events, record: series.inboxes.recorder(label{s.label, s.scheme}),
		wake: make(chan struct{}, 1),
	}
	b.always = b.options.Mode == inbox.ModeAlways
	var err error
	b.opened, err = s.box.Open(inbox.OpenOptions{
		Owner: inbox.Owner{Provider: s.label, Scheme: s.scheme}, Context: s.ctx, Failed: b.record.errors.Inc,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the inbox of %s: %w", s.label, err)
	}
	b.listed = &openInbox{b.label, b.opened, b.lookAgain}
	series.inboxes.open.add(b.listed)
	return b, nil
}

// close gives the inbox back.
func (b *labelInbox) close() {
	series.inboxes.open.remove(b.listed)
	if err := b.opened.Close(); err != nil {
		b.logger.Error("closing inbox", zap.String("provider", b.label.provider), zap.Error(err))
	}
}

// inboxFirst is a history that asks the inbox first. The inbox answers for its
// own deliveries, even if the history has forgotten them.
type inboxFirst struct {
	replay.History
	inbox *labelInbox
}

// atOnce reports whether a history answers at once. An inbox before it does not
// matter, because its calls take no context.
func atOnce(history replay.History) bool {
	if f, ok := history.(inboxFirst); ok {
		history = f.History
	}
	_, ok := history.(replay.Immediate)
	return ok
}

// Reserve claims an event, unless it waits in the inbox.
func (f inboxFirst) Reserve(ctx context.Context, e replay.Event) (replay.Reservation, replay.Status, error) {
	if status := f.inbox.judge(e); status != replay.Reserved {
		return nil, status, nil
	}
	return f.History.Reserve(ctx, e)
}

// Forget removes a delivered event, unless it waits in the inbox.
func (f inboxFirst) Forget(ctx context.Context, content replay.Key) (replay.Status, error) {
	if f.inbox.judge(replay.Event{Content: content}) != replay.Reserved {
		return replay.InFlight, nil
	}
	return f.History.Forget(ctx, content)
}

// judge compares an event with those that wait. If the inbox cannot be read,
// the history alone decides.
func (b *labelInbox) judge(e replay.Event) replay.Status {
	status, err := b.opened.Judge(e)
	if err != nil {
		b.failed("reading the inbox; the history alone is asked", err)
		return replay.Reserved
	}
	return status
}

// isAnswer reports whether a status counts as the application's answer.
func (b *labelInbox) isAnswer(status int) bool { return b.options.IsAnswer(status) }

// keep stores a verified delivery. Its sender may be answered once the history
// has recorded it too.
func (b *labelInbox) keep(ctx context.Context, d *delivery, seen *http.Request) (inbox.Hold, error) {
	hold, err := b.opened.Keep(ctx, d.entry(seen), d.body.Buffer.Bytes())
	if err != nil {
		b.failed("keeping a delivery; it is handled as if there were no inbox", err)
		return nil, err
	}
	b.record.kept.Inc()
	b.events.tell("webhook_kept", d.handler.Provider, d.eventData)
	return hold, nil
}

// entry returns the delivery in the form that the inbox stores. seen is the
// request as verify_webhook saw it.
func (d *delivery) entry(seen *http.Request) inbox.Entry {
	ip, _ := caddyhttp.GetVar(seen.Context(), caddyhttp.ClientIPVarKey).(string)
	return inbox.Entry{
		Owner: inbox.Owner{Provider: d.handler.Provider, Scheme: d.handler.Scheme},
		Facts: inbox.Facts{
			ID: d.id(), Secret: d.secret, Event: d.facts.Type,
			Tenant: d.facts.Tenant, Environment: d.facts.Environment,
			SentAt: d.sentAt, SentHeader: d.sentHeader, OccurredAt: d.facts.OccurredAt,
			OccurrenceID: d.occurrence.Value, UnsignedEvent: d.unsigned.Value,
		},
		Keys: d.event, ReceivedAt: d.receivedAt(), ClientIP: ip, Request: storedRequest(seen),
	}
}

// deliveryOf returns the delivery that an entry was made from, for its next
// attempt.
func deliveryOf(e *inbox.Entry) *delivery {
	f := e.Facts
	return &delivery{
		verified: true, secret: f.Secret, attempt: e.Last.Attempts + 1,
		facts:  schemes.Event{Type: f.Event, Tenant: f.Tenant, Environment: f.Environment, OccurredAt: f.OccurredAt},
		sentAt: f.SentAt, sentHeader: f.SentHeader, now: e.ReceivedAt,
		event: e.Keys, idText: f.ID,
		occurrence: schemes.Unsigned{Value: f.OccurrenceID}, unsigned: schemes.Unsigned{Value: f.UnsignedEvent},
	}
}

// keepFirst keeps a delivery before the application is asked, and answers its
// sender. It reports false if the inbox cannot keep it; the application is then
// asked directly.
func (h *Handler) keepFirst(w http.ResponseWriter, r *http.Request, d *delivery, reservation replay.Reservation) bool {
	ctx, cancel := storeContext(r.Context())
	defer cancel()
	hold, err := d.inbox.keep(ctx, d, r)
	if err != nil {
		return false
	}
	f := &forwarding{handler: h, delivery: d, sender: r.Context(), reservation: reservation}
	f.deliver()
	hold.Release()
	d.inbox.look()
	h.recordVerdict(r, d, accepted, nil)
	emptyBody(r)
	d.acknowledge(w, r)
	return true
}

// acknowledge answers the sender of a delivery that is kept.
func (d *delivery) acknowledge(w http.ResponseWriter, r *http.Request) {
	d.setInboxField(r, "kept")
	d.status = http.StatusOK
	h := d.handler
	if entry := h.logger.Check(zap.InfoLevel, "delivery kept in the inbox"); entry != nil {
		entry.Write(zap.String("provider", h.Provider), zap.String("id", d.id()))
	}
	w.WriteHeader(http.StatusOK)
}

// finish removes an entry that the application has taken.
func (b *labelInbox) finish(ctx context.Context, hold inbox.Hold, attempts int, o attempt) {
	b.tell("webhook_redelivered", hold.Entry(), attempts, o.status)
	if err := hold.Finish(ctx); err != nil {
		b.failed("removing a delivery that was taken; it is removed later", err)
	}
	b.trying.worked(b)
}

// delivered removes the dead entry of an event that the application has taken
// after all.
func (b *labelInbox) delivered(ctx context.Context, content replay.Key) {
	defer b.trying.worked(b)
	if b.opened.Counts().Dead == 0 {
		return // without the timer of a context
	}
	ctx, cancel := storeContext(ctx)
	defer cancel()
	if err := b.opened.Delivered(ctx, content); err != nil {
		b.failed("removing a dead delivery that was taken; it stays until it is too old", err)
	}
}

// again stores that the application has not taken a delivery. The delivery is
// attempted again later, or becomes dead if the application has refused it.
func (b *labelInbox) again(ctx context.Context, hold inbox.Hold, attempts int, o attempt) {
	result := inbox.Outcome{Attempts: attempts, Status: o.status, Error: o.detail}
	if o.refused(b) {
		b.die(ctx, hold, result)
		return
	}
	wait := b.backoff(attempts)
	result.Hurried = o.retryAfter <= wait
	if err := hold.Later(ctx, result, max(wait, o.retryAfter)); err != nil {
		b.failed("storing what became of an attempt", err)
	}
	b.trying.failed(time.Duration(b.options.Retry.First))
	b.look()
}

// die makes an entry dead. The history then forgets the event, so that the
// event is forwarded if it is sent again.
func (b *labelInbox) die(ctx context.Context, hold inbox.Hold, result inbox.Outcome) {
	keys, id := hold.Entry().Keys, hold.Entry().Facts.ID
	if err := hold.Die(ctx, result); err != nil {
		b.failed("storing what became of an attempt", err)
		return
	}
	b.logger.Error("a delivery in the inbox is dead, because the application refused it; webhook inbox retry attempts it again",
		zap.String("provider", b.label.provider), zap.String("id", id), zap.Int("status", result.Status))
	b.forget(ctx, keys.Content)
	b.tell("webhook_dead", hold.Entry(), result.Attempts, result.Status)
}

// tell emits an event about an entry.
func (b *labelInbox) tell(name string, e *inbox.Entry, attempts, status int) {
	b.events.tell(name, b.label.provider, func() map[string]any {
		data := map[string]any{"provider": b.label.provider, "id": e.Facts.ID, "key": e.Facts.Secret, "attempts": attempts}
		if event := fit(e.Facts.Event); event != "" {
			data["event"] = event
		}
		if status != 0 {
			data["status"] = status
		}
		return data
	})
}

// forget has the history forget a dead event.
func (b *labelInbox) forget(ctx context.Context, content replay.Key) {
	outlived.forget(content)
	if _, err := b.history.Forget(ctx, content); err != nil {
		b.failed("forgetting a dead delivery; sent again, it is a duplicate until the history forgets it", err)
	}
}

// backoff returns how long to wait after a number of attempts. The wait doubles
// with each attempt and is shortened by up to a quarter at random, so that
// deliveries that failed together do not return together.
func (b *labelInbox) backoff(attempts int) time.Duration {
	first, most := time.Duration(b.options.Retry.First), time.Duration(b.options.Retry.Most)
	wait := first
	for range max(attempts-1, 0) {
		if wait *= 2; wait >= most {
			wait = most
			break
		}
	}
	return wait - time.Duration(rand.Int64N(int64(wait)/4+1)) //nolint:gosec // nobody gains by guessing it
}

// failed logs and counts a failure of the inbox.
func (b *labelInbox) failed(what string, err error) {
	b.record.errors.Inc()
	b.logger.Error(what, zap.String("provider", b.label.provider), zap.Error(err))
}

// look wakes the schedulers of the label, also those of other configurations:
// an attempt that began before a reload ends in the old configuration, and the
// new one continues from there.
func (b *labelInbox) look() { series.inboxes.open.look(b.label) }

// lookAgain wakes the scheduler of this configuration.
func (b *labelInbox) lookAgain() {
	select {
	case b.wake <- struct{}{}:
	default: // it has been woken already
	}
}

// defaultAfter is the default of `after` if the provider's deadline is not
// known.
const defaultAfter = 8 * time.Second

// checkInbox checks the options that every inbox has against the rest of the
// configuration.
func (h *Handler) checkInbox(scheme schemes.Scheme) error {
	if h.InboxRaw == nil {
		return nil
	}
	var stored struct {
		inbox.Options
	}
	if err := json.Unmarshal(h.InboxRaw, &stored); err != nil {
		return fmt.Errorf("inbox: %w", err)
	}
	if err := stored.Check(); err != nil {
		return err
	}
	options := stored.WithDefaults()
	within := time.Duration(cmp.Or(h.AnswerWithin, caddy.Duration(defaultAnswerWithin)))
	if h.Observe {
		return errors.New("inbox: with observe nothing is verified for certain, so nothing can be kept; take inbox or observe out")
	}
	if after := time.Duration(options.After); after > within {
		return fmt.Errorf("inbox: after %s is longer than answer_within %s; write after %s or less, or a longer answer_within",
			schemes.Short(after), schemes.Short(within), schemes.Short(within))
	}
	return h.checkInboxHistory(scheme, options)
}

// checkInboxHistory checks that the history remembers events for long enough to
// be used with an inbox.
func (h *Handler) checkInboxHistory(scheme schemes.Scheme, o inbox.Options) error {
	var history struct {
		replay.Options
		Store string `json:"store"`
	}
	if h.ReplayRaw != nil {
		_ = json.Unmarshal(h.ReplayRaw, &history) // checkReplay reports what is not JSON
	} else if defaultStore(scheme) == storeNone {
		return fmt.Errorf("inbox: it needs a history to tell what the application has taken, and %s has none unless you write replay: it sends the same bytes for different events; take inbox out", scheme.Name())
	}
	if history.Store == storeNone {
		return errors.New("inbox: it needs a history to tell what the application has taken, and replay off has none; take replay off out, or inbox")
	}
	if !isShared(history.Store) {
		return nil
	}
	if ttl := ttlOf(scheme, history.Options); ttl < time.Duration(o.Keep) {
		return fmt.Errorf("inbox: ttl %s of the shared history is below keep %s, so that another gateway could forward again what waits here; write ttl %s or more in replay, or keep %s or less in inbox",
			schemes.Short(ttl), schemes.Short(time.Duration(o.Keep)), schemes.Short(time.Duration(o.Keep)), schemes.Short(ttl))
	}
	return nil
}

// loadInbox loads the store of the inbox, if there is one.
func (h *Handler) loadInbox(ctx caddy.Context) error {
	if h.InboxRaw == nil {
		return nil
	}
	guest, err := ctx.LoadModule(h, "InboxRaw")
	if err != nil {
		return fmt.Errorf("loading inbox: %w", err)
	}
	h.box = guest.(inbox.Store)
	guardErrorRoutes(h.server)
	if err := h.box.Settings().Check(); err != nil {
		return err
	}
	h.after = time.Duration(h.box.Settings().After)
	if h.after == 0 {
		after := defaultAfter
		if deadline := h.scheme.Sending().Deadline; deadline > 0 {
			after = deadline * 4 / 5 // so that the answer is there in time
		}
		h.after = min(after, time.Duration(h.AnswerWithin))
	}
	return nil
}

// placed is implemented by a store that is kept in one place, such as a file.
type placed interface{ Place() string }

// claimPlace checks the place of a handler's inbox against those of the other
// handlers. Inboxes may share a place if they have the same size limit. An
// inbox and a history cannot share a file.
func (a *App) claimPlace(h *Handler) error {
	if history, ok := h.store.(placed); ok {
		a.historyPlaces = append(a.historyPlaces, history.Place())
	}
	if h.box != nil {
		place := h.box.Place()
		if other, taken := a.places[place]; !taken {
			a.places[place] = h
		} else if other.box.Settings().WithDefaults().MaxSize != h.box.Settings().WithDefaults().MaxSize {
			return fmt.Errorf("inbox: the handler with the label %q has its inbox in the same place with another max_size, and a place has one limit; write the same max_size in both, or another path", other.Provider)
		}
	}
	for _, place := range a.historyPlaces {
		if _, taken := a.places[place]; taken && place != "" {
			return errors.New("inbox: its path is that of a replay history, and a file can hold only one of the two; write another path")
		}
	}
	return nil
}

// openOrphans opens the inboxes of labels that no handler has any more, so that
// an operator sees the deliveries in them. They are not attempted.
func (a *App) openOrphans() {
	for _, place := range slices.Sorted(maps.Keys(a.places)) {
		h := a.places[place]
		kept := h.history.currentInbox()
		if kept == nil {
			continue
		}
		var names []string
		for _, owner := range kept.opened.Owners() {
			if slices.ContainsFunc(a.handlers[owner.Provider], func(each *Handler) bool {
				return each.Scheme == owner.Scheme && each.box != nil && each.box.Place() == place
			}) {
				continue
			}
			opened, err := h.box.Open(inbox.OpenOptions{Owner: owner, Context: a.ctx})
			if err != nil {
				a.logger.Error("opening what is left in an inbox", zap.String("provider", owner.Provider), zap.Error(err))
				continue
			}
			orphan := &openInbox{label{owner.Provider, owner.Scheme}, opened, nil}
			a.orphans = append(a.orphans, orphan)
			series.inboxes.open.add(orphan)
			names = append(names, owner.Provider+" ("+owner.Scheme+")")
		}
		if len(names) > 0 {
			a.logger.Warn("an inbox holds deliveries of labels that no handler has; they wait until one has them, or webhook inbox drop removes them",
				zap.String("inbox", place), zap.Strings("labels", names))
		}
	}
}

func (a *App) closeOrphans() {
	for _, orphan := range a.orphans {
		series.inboxes.open.remove(orphan)
		if err := orphan.opened.Close(); err != nil {
			a.logger.Error("closing inbox", zap.String("provider", orphan.label.provider), zap.Error(err))
		}
	}
	a.orphans = nil
}
