// Package replay defines replay histories. The stores that keep them are
// Caddy modules in the namespace http.verify_webhook.replay_stores, each in a
// package of its own below this one; replaytest has the contract as tests.
package replay

import (
	"context"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Namespace is the Caddy module namespace of the stores.
const Namespace = "http.verify_webhook.replay_stores"

// Store is the configuration of a history: a guest module that opens it.
// Provisioning a store has no effect outside of it, because `caddy validate`
// provisions too.
type Store interface {
	// Settings returns the options of every store. Stores that embed Options have it.
	Settings() Options

	// Open opens the history of a label, once per configuration, when the
	// configuration starts. If another configuration of this process has the
	// history of this label open, Open shares it, so that the history survives a
	// reload. The error is shown to the operator and never contains a secret,
	// such as the password in a URL.
	Open(o OpenOptions) (History, error)
}

// InsecureOptions is implemented by stores whose options can weaken the protection.
type InsecureOptions interface {
	// WeakerChoices returns the options that the operator chose and that weaken
	// the protection, for one log line at startup.
	WeakerChoices() []string
}

// Shared is implemented by stores whose history other processes use too. Their
// handlers need an explicit label: otherwise two gateways could share a history
// by accident.
type Shared interface {
	SharedBetweenProcesses()
}

// EntryCounter is implemented by histories that know how much they hold.
type EntryCounter interface {
	// Entries returns the number of entries of delivered events, including
	// expired ones that have not been removed yet. It returns false if the number
	// is not known at the moment. It is called at every scrape of the metrics.
	Entries() (n int, known bool)
}

// Immediate is implemented by histories that answer at once, without waiting for
// anything. The contexts of their calls have no deadline, which would cost two
// timers for each delivery, and do not end when the sender goes away.
type Immediate interface {
	AnswersAtOnce()
}

// OpenOptions are the options of Store.Open.
type OpenOptions struct {
	// Label names the history.
	Label string
	// TTL is how long a delivered event is remembered.
	TTL time.Duration
	// Context is that of the configuration that opens the history. It has the
	// logger.
	Context caddy.Context
	// Failed is called for a failure that the history handles itself instead of
	// returning it. It may be nil.
	Failed func()
	// Evicted is called with the number of entries that were evicted before they
	// expired. It may be nil.
	Evicted func(entries int)
}

// History remembers which events have been delivered. All methods may be
// called by many goroutines at once.
type History interface {
	// Reserve claims an event before it is handed to the application. Exactly one
	// of any number of callers gets Reserved and a reservation, which it must
	// settle; the others get no reservation and leave no trace. On an error nothing
	// is known and nothing is reserved. This and every other call ends with its
	// context.
	Reserve(ctx context.Context, e Event) (Reservation, Status, error)

	// Forget removes a delivered event and its occurrence ID, so that it can be
	// delivered again. It returns Forgotten, InFlight while the event is being
	// handled, or Unknown if the history does not have it.
	Forget(ctx context.Context, content Key) (Status, error)

	// Close releases the history. It is called once the last request has settled
	// its reservation. Nothing else is called after it, and another Close does
	// nothing. The store may still write what it could not write before.
	Close() error
}

// Reservation is an event that is being handled. It is settled by one call of
// Deliver or Release; later calls are ignored.
type Reservation interface {
	// Deliver records the event until its TTL has passed. On an error it may
	// not be recorded, and a retry may be forwarded again.
	Deliver(ctx context.Context) error

	// Release forgets the event, so that a retry is forwarded. On an error
	// retries get 503 until the store releases it by itself.
	Release(ctx context.Context) error
}

// Key names something in a history: the first 128 bits of a SHA-256.
type Key [16]byte

// Event identifies a delivery to a history.
type Event struct {
	// Content is made of the values that the signature covers.
	Content Key
	// Occurrence is made of something that is not signed and belongs to one
	// content: a unique occurrence ID, or how a signed text is cut. It is zero if
	// there is none.
	Occurrence Key
	// Unsigned is a fingerprint of the values that the provider sends without
	// signing them.
	Unsigned uint64
	// Tenant is whose event it is, where tenants share a label. The keys differ by
	// tenant; a history that is full drops entries of the tenant that has most.
	Tenant string `json:",omitempty"`
}

// Status is the answer of a history.
type Status int

const (
	// Reserved means the event is new, and the caller now has to deliver it.
	Reserved Status = iota
	// InFlight means another request is delivering the content, or something under
	// the same occurrence ID.
	InFlight
	// Duplicate means the content has been delivered, with the same unsigned values.
	Duplicate
	// ContentConflict means the content has been delivered, with other unsigned
	// values.
	ContentConflict
	// OccurrenceConflict means the content is new, and other content has been
	// delivered under its occurrence.
	OccurrenceConflict
	// Forgotten means that the event can be delivered again.
	Forgotten
	// Unknown means that there is nothing to forget.
	Unknown
)

// String names the status in words.
func (s Status) String() string {
	switch s {
	case Reserved:
		return "reserved"
	case InFlight:
		return "in flight"
	case Duplicate:
		return "duplicate"
	case ContentConflict:
		return "content conflict"
	case OccurrenceConflict:
		return "occurrence conflict"
	case Forgotten:
		return "forgotten"
	}
	return "unknown"
}
