package module

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
)

// eventNames are Caddy's events by verdict.
var eventNames = map[verdict]string{
	accepted:        "webhook_accepted",
	duplicateBefore: "webhook_duplicate",
	rejected:        "webhook_rejected",
}

// eventDrift says that a label's secret, or its sender, may have changed.
const eventDrift = "webhook_drift"

// eventEmitter tells Caddy's event handlers what became of deliveries, once all
// is settled, so that they change nothing any more. Caddy calls them one after
// the other and waits for each. No sender is to wait for them: they run in the
// background, up to mostEvents at once, and further events are dropped.
type eventEmitter struct {
	app    *caddyevents.App
	ctx    caddy.Context // of the configuration; its module is the events' origin
	places chan struct{}
	logger *zap.Logger
}

// mostEvents is how many events are handled at once.
const mostEvents = 64

// newEventEmitter finds the events app. Every configuration with an HTTP server
// has one.
func newEventEmitter(ctx caddy.Context, logger *zap.Logger) (*eventEmitter, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("loading the events app: %w", err)
	}
	return &eventEmitter{app: app.(*caddyevents.App), ctx: ctx, places: make(chan struct{}, mostEvents), logger: logger}, nil
}

// emit tells what became of a delivery, if anybody listens.
func (e *eventEmitter) emit(name string, d *delivery) {
	e.tell(name, d.handler.Provider, d.eventData)
}

// tell emits an event, if anybody listens. Nothing happens without a name.
func (e *eventEmitter) tell(name, provider string, data func() map[string]any) {
	if name == "" || !e.app.ShouldEmit(name) || e.ctx.Err() != nil {
		return
	}
	select {
	case e.places <- struct{}{}:
		go e.handle(name, data())
	default:
		e.logger.Warn("an event was dropped, because the handlers of earlier ones have not ended",
			zap.String("provider", provider), zap.String("event_name", name))
	}
}

func (e *eventEmitter) handle(name string, data map[string]any) {
	defer func() {
		<-e.places
		if p := recover(); p != nil {
			e.logger.Error("panic in a handler of events",
				zap.String("event_name", name), zap.String("type", fmt.Sprintf("%T", p)), zap.ByteString("stack", debug.Stack()))
		}
	}()
	e.app.Emit(e.ctx, name, data)
}

// eventData is what handlers of events are told: what a log may hold.
func (d *delivery) eventData() map[string]any {
	data := map[string]any{"provider": d.handler.Provider}
	if d.reason != "" {
		data["reason"] = string(d.reason)
	}
	if d.passedOn() {
		data["observed"] = true
	}
	if tenant := d.shownTenant(); tenant != "" {
		data["tenant"] = tenant
	}
	if !d.verified {
		return data
	}
	data["id"], data["key"] = d.id(), d.secret
	if event := fit(d.facts.Type); event != "" {
		data["event"] = event
	}
	if !d.sentAt.IsZero() {
		data["age"] = int64(d.age() / time.Second)
	}
	return data
}
