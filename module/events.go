package module

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
)

// eventNames are the names of Caddy's events by verdict.
var eventNames = map[verdict]string{
	accepted:        "webhook_accepted",
	duplicateBefore: "webhook_duplicate",
	rejected:        "webhook_rejected",
}

// eventDrift means that a label's secret, or its sender, may have changed.
const eventDrift = "webhook_drift"

// eventEmitter emits Caddy events about deliveries, once they are settled, so
// that event handlers cannot change them. Caddy calls event handlers one after
// the other and waits for each. Senders must not wait for them, so they run in
// the background, up to mostEvents at once. Further events are dropped.
type eventEmitter struct {
	app    *caddyevents.App
	ctx    caddy.Context // of the configuration; its module is the events' origin
	places chan struct{}
	logger *zap.Logger
}

// mostEvents is how many events are handled at once.
const mostEvents = 64

// newEventEmitter loads the events app, which every configuration with an HTTP
// server has.
func newEventEmitter(ctx caddy.Context, logger *zap.Logger) (*eventEmitter, error) {
	app, err := ctx.App("events")
	if err != nil {
		return nil, fmt.Errorf("loading the events app: %w", err)
	}
	return &eventEmitter{app: app.(*caddyevents.App), ctx: ctx, places: make(chan struct{}, mostEvents), logger: logger}, nil
}

// emit emits an event about a delivery, if there is a handler for it.
func (e *eventEmitter) emit(name string, d *delivery) {
	e.tell(name, d.handler.Provider, d.eventData)
}

// tell emits an event, if there is a handler for it. It does nothing without a
// name.
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

// eventData returns the data of an event. They contain nothing that a log must
// not hold.
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
