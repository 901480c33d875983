// Package inbox defines the inbox, which keeps deliveries that the application
// did not take. The stores are Caddy modules in the namespace
// http.verify_webhook.inboxes, each in a package of its own below this one;
// inboxtest has the contract as tests.
//
// An inbox stores deliveries and answers questions about them. It attempts
// nothing by itself: the handler decides which deliveries to keep, and its
// scheduler decides when to attempt them, in the same way for every store.
package inbox

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay"
)

// Namespace is the Caddy module namespace of the stores.
const Namespace = "http.verify_webhook.inboxes"

// Store is the configuration of an inbox: a guest module that opens it.
// Provisioning a store has no effect outside of it, because `caddy validate`
// provisions too.
type Store interface {
	// Settings returns the options of every store. Stores that embed Options have it.
	Settings() Options

	// Place names where the inbox is kept. Two stores that return the same text
	// share one place and its limit. It is called after Provision and opens
	// nothing.
	Place() string

	// Open opens the inbox of an owner, once per configuration, when the
	// configuration starts. If another configuration of this process has the same
	// place and owner open, Open shares that inbox and its running attempts, so
	// that they survive a reload. The error is shown to the operator and names the
	// place. It wraps ErrInUse or ErrDamaged if that is the reason.
	Open(o OpenOptions) (Inbox, error)
}

// OpenOptions are the options of Store.Open.
type OpenOptions struct {
	Owner
	// Context is that of the configuration that opens the inbox. It has the
	// logger.
	Context caddy.Context
	// Failed is called for a failure that the inbox handles itself instead of
	// returning it. It may be nil.
	Failed func()
}

// Owner is the owner of entries in an inbox. It includes the scheme, because an
// entry can only be judged by the scheme that it came with.
type Owner struct {
	Provider string // the label
	Scheme   string
}

// The known errors of an inbox. Any other error means that the store cannot be
// read or written at the moment.
var (
	// ErrFull means that there is no room: max_size is reached, or the disk is
	// full.
	ErrFull = errors.New("the inbox is full")
	// ErrInUse means that another process has the inbox open.
	ErrInUse = errors.New("the inbox is open in another process")
	// ErrDamaged means that stored data is not what was written. Damaged data is
	// never returned.
	ErrDamaged = errors.New("the inbox is damaged")
	// ErrBusy means that the entry is being attempted.
	ErrBusy = errors.New("the delivery is being attempted right now")
	// ErrUnknown means that there is no such entry.
	ErrUnknown = errors.New("the inbox has no such delivery")
)

// Inbox keeps the deliveries of one owner. All methods may be called by many
// goroutines at once.
//
// An entry is waiting or dead. A waiting entry may be busy: one goroutine holds
// it, from Keep or Take until it calls Finish, Later, Die or Release. Nothing
// else can take or change a busy entry. Busy is not a stored state: when the
// process ends, every waiting entry is free, and due when it was due before.
//
// A method that changes something returns nil only once the change is on stable
// storage. After an error the change may be missing, but it is never there in
// part. All times come from a clock that does not follow changes to the
// machine's clock. The ages of entries leave out the time in which no process
// had the inbox open.
type Inbox interface {
	// Keep stores a delivery whose Keys, Facts and Request are set. The handler
	// calls it before it answers for the application, in the goroutine of the
	// request or of its timer. When Keep returns nil, the delivery and its whole
	// body are durable, and the entry is busy: the caller holds it. The entry is
	// due at once, so that a process that ends now attempts it at its next start.
	//
	// Keep only reads the body, and does not read it after it has returned.
	//
	// A waiting entry under the same content key stays unchanged: Keep returns nil
	// and writes nothing. If that entry was not busy, the caller now holds it.
	// Otherwise the caller holds nothing, and Finish, Later, Die and Release of
	// the returned Hold do nothing. A dead entry under the key is replaced.
	//
	// After an error, which may be that ctx has ended, the delivery is not kept:
	// Judge does not know it, and Take does not return it. It may be found at the
	// next start only if the process ends before the store could remove it. The
	// error wraps ErrFull if there is no room.
	Keep(ctx context.Context, e Entry, body []byte) (Hold, error)

	// Judge compares a verified delivery with the waiting ones. The handler calls
	// it for every delivery, before it asks the history. Judge returns Duplicate,
	// ContentConflict or OccurrenceConflict, as a history does for delivered
	// events. It returns Reserved if no waiting entry conflicts, but reserves
	// nothing. A dead entry conflicts with nothing.
	Judge(e replay.Event) (replay.Status, error)

	// Take makes busy and returns the entry that has been due longest, for an
	// attempt; false if none is due. It fails while the store cannot be written,
	// because an attempt whose outcome cannot be stored would be repeated. Only
	// the scheduler calls it.
	Take() (Hold, bool, error)

	// Next returns how long it is until Take has an entry, if nothing changes;
	// false if no entry waits that is not busy.
	Next() (time.Duration, bool)

	// Hurry makes due every entry whose Later had Hurried set. It is called when
	// an application that has failed takes a delivery again. Its effect is not
	// stored.
	Hurry()

	// Expire makes dead the entries that have waited for longer than keep and are
	// not busy, and removes those that have been dead for longer than dead. Once
	// that is durable, it returns both, without their requests, as they were
	// before. The scheduler then has the history forget those that died, and logs
	// both. Expire handles a limited number at a time, and is called again if it
	// returns any.
	Expire(ctx context.Context, keep, dead time.Duration) (died, removed []Entry, err error)

	// Delivered removes the dead entry under a content key, if there is one,
	// because the application has taken the event after all. It costs nothing
	// while there is no dead entry.
	Delivered(ctx context.Context, content replay.Key) error

	// Retry makes an entry due now, for the operator. A dead entry becomes
	// waiting, as if it had just been kept, but keeps its number of attempts. The
	// error wraps ErrBusy or ErrUnknown if that is the reason.
	Retry(ctx context.Context, content replay.Key) error

	// Drop removes an entry, for the operator. The error wraps ErrBusy or
	// ErrUnknown if that is the reason.
	Drop(ctx context.Context, content replay.Key) error

	// List calls yield with every entry, without its request, until yield returns
	// false: first the waiting entries in the order in which they were kept, then
	// the dead ones in the order in which they died. Neither a lock nor a
	// transaction is held while yield runs, so it may be slow.
	List(yield func(Entry) bool) error

	// Counts returns the size of the inbox. It costs next to nothing.
	Counts() Counts

	// Owners returns all owners of entries in the same place, including those that
	// no configuration has any more.
	Owners() []Owner

	// Close releases this configuration's share, once none of its entries is busy
	// any more. Nothing else is called after it, and another Close does nothing.
	Close() error
}

// Hold is an entry that one caller holds exclusively. It ends with the first
// call of Finish, Later, Die or Release; further calls do nothing.
type Hold interface {
	// Entry returns the entry with its request, without the body.
	Entry() *Entry

	// Body returns the body, which has exactly Entry().Size bytes. The error wraps
	// ErrDamaged if the body is not the one that was kept; it may come from Read.
	// The caller closes the body before it ends the hold.
	Body() (io.ReadCloser, error)

	// Finish removes the entry, because the application has taken the delivery.
	// After an error, the store remembers this while the process lives: the entry
	// is not attempted again, and is removed as soon as that works.
	Finish(ctx context.Context) error

	// Later stores the outcome of an attempt and makes the entry wait for the
	// given time.
	Later(ctx context.Context, o Outcome, wait time.Duration) error

	// Die stores the outcome of an attempt and makes the entry dead. The history
	// must forget the event only afterwards.
	Die(ctx context.Context, o Outcome) error

	// Release ends the hold without an outcome, because there was no attempt. The
	// entry is due when it was due before. Nothing is written.
	Release()
}

// Outcome is the result of an attempt.
type Outcome struct {
	// Attempts is the number of attempts so far, including this one. The first
	// request of a rescue does not count.
	Attempts int
	// Status is the application's answer, or zero if there was none.
	Status int
	// Error says why there was no answer that counts. It contains no payload.
	Error string
	// Hurried means that the entry only waits for the application to work again,
	// so that Hurry makes it due. It is false if the application has said when to
	// try again.
	Hurried bool
}

// State is the state of an entry.
type State string

const (
	// Waiting is an entry that will be attempted.
	Waiting State = "waiting"
	// Dead is an entry that will not be attempted.
	Dead State = "dead"
)

// Entry is a delivery in an inbox.
type Entry struct {
	Owner Owner
	Facts Facts
	// Keys are the keys in the history. With tenants they differ by tenant.
	Keys replay.Event
	// ReceivedAt is when the whole body had arrived, by the machine's clock.
	ReceivedAt time.Time
	// ClientIP is the address of the sender, as the handler's configuration
	// determines it.
	ClientIP string
	// Request has only its method and URI if an entry is returned without its
	// request.
	Request Request

	// The store sets the following fields.

	State State
	// Size is the size of the body in bytes.
	Size int64
	// KeptAt is when it was kept, by the machine's clock.
	KeptAt time.Time
	// Age is how long it has waited, or how long it has been dead.
	Age time.Duration
	// Wait is how long it is until the entry is due. It is zero or less if the
	// entry is due, and zero if it is dead.
	Wait time.Duration
	Busy bool
	// Last is the outcome of the last attempt.
	Last Outcome
}

// Counts is the size of an owner's inbox.
type Counts struct {
	Waiting, Dead int
	// Bytes is how much of max_size the entries use.
	Bytes int64
	// Oldest is how long the oldest waiting entry has waited; zero if none waits.
	Oldest time.Duration
}
