// Package inbox defines the inbox: where deliveries wait that the application
// did not take. The stores that keep them are Caddy modules in the namespace
// http.verify_webhook.inboxes, each in a package of its own below this one;
// inboxtest has the contract as tests.
//
// An inbox stores and answers questions. It attempts nothing by itself: the
// handler decides what is kept, and its scheduler when to attempt again, so that
// both are the same for every store.
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

// Store is the configuration of an inbox: a guest module, which opens it.
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
	// configuration starts. What another configuration of this process has open
	// under the same place and owner is shared with it, with what is being
	// attempted, so that it survives a reload. The error goes to the operator and
	// names the place: it is ErrInUse or ErrDamaged where that is the reason.
	Open(o OpenOptions) (Inbox, error)
}

// OpenOptions are what an inbox is opened with.
type OpenOptions struct {
	Owner
	// Context is the one of the configuration that opens the inbox; it has the
	// logger.
	Context caddy.Context
	// Failed is called for a failure that the inbox passes over instead of
	// returning it. It may be nil.
	Failed func()
}

// Owner is whose entries an inbox has. The scheme belongs to it, because an
// entry can only be judged by the scheme that it came with.
type Owner struct {
	Provider string // the label
	Scheme   string
}

// What an inbox cannot do. Every error that wraps none of these means that the
// store cannot be read or written at the moment.
var (
	// ErrFull means that there is no room: max_size is reached, or the disk is
	// full.
	ErrFull = errors.New("the inbox is full")
	// ErrInUse means that another process has the inbox open.
	ErrInUse = errors.New("the inbox is open in another process")
	// ErrDamaged means that something that was stored cannot be right. What is
	// damaged is never returned.
	ErrDamaged = errors.New("the inbox is damaged")
	// ErrBusy means that the entry is being attempted.
	ErrBusy = errors.New("the delivery is being attempted right now")
	// ErrUnknown means that there is no such entry.
	ErrUnknown = errors.New("the inbox has no such delivery")
)

// Inbox keeps the deliveries of one owner. All methods may be called by many
// goroutines at once.
//
// An entry is waiting or dead, and a waiting one may be busy: one goroutine has
// it, from Keep or Take until it calls Finish, Later, Die or Release. Nothing
// else can take or change an entry that is busy. Being busy is not stored: what
// ends the process makes every waiting entry free, and due as it was before.
//
// A method that changes something returns nil only once the change is on stable
// storage. After an error the change may not be there, but it is never there in
// part. All times are those of a clock that a change of the machine's does not
// move, and the ages of entries leave out the time in which no process had the
// inbox open.
type Inbox interface {
	// Keep stores a delivery whose Keys, facts and Request are set; the handler
	// calls it before it answers for the application, in the goroutine of the
	// request or of its timer. When it returns nil, the delivery with its whole
	// body is durable, and it is busy: the caller has it. It is due at once, so
	// that a process that ends now attempts it at its next start.
	//
	// The body is only read, and not after Keep has returned.
	//
	// An entry that waits under the same content key stays what it is: Keep
	// returns nil and writes nothing. The caller has it if it was not busy;
	// otherwise it has nothing, and its Finish, Later, Die and Release do nothing.
	// A dead entry under the key is replaced.
	//
	// On an error, the end of ctx included, the delivery is not kept: Judge does
	// not know it, and no Take returns it. Only if the process ends before the
	// store could take it back may it be found at the next start. The error is
	// ErrFull when there is no room.
	Keep(ctx context.Context, e Entry, body []byte) (Hold, error)

	// Judge compares a verified delivery with those that wait, and is asked
	// before the history, for every one. It returns Duplicate, ContentConflict
	// or OccurrenceConflict, as a history does for what was delivered; and
	// Reserved if nothing waits that stands against it, without reserving
	// anything. A dead entry stands against nothing.
	Judge(e replay.Event) (replay.Status, error)

	// Take returns the entry that has been due longest, as busy, for an attempt;
	// false if none is due. While the store cannot be written it is an error: an
	// attempt whose end cannot be stored would be repeated. It belongs to the
	// scheduler.
	Take() (Hold, bool, error)

	// Next is how long it is until Take has an entry, if nothing changes; false if
	// none waits that is not busy.
	Next() (time.Duration, bool)

	// Hurry makes due what waits because Later had Hurried set. It is for the
	// moment in which an application that has failed takes a delivery again. It
	// is not stored.
	Hurry()

	// Expire makes dead what has waited for longer than keep and is not busy, and
	// removes what has been dead for longer than dead. It returns these entries,
	// without requests, as they were before, once that is durable: the scheduler
	// then forgets the former in the history and logs both. It does a limited
	// number at a time and is called again if it returns any.
	Expire(ctx context.Context, keep, dead time.Duration) (died, removed []Entry, err error)

	// Delivered removes the dead entry under a content key, if there is one,
	// because the application has taken the event after all. It costs nothing
	// while nothing is dead.
	Delivered(ctx context.Context, content replay.Key) error

	// Retry makes an entry due now, for the operator. A dead one waits again, as
	// if it had just been kept, with the attempts that it had. The error is
	// ErrBusy or ErrUnknown where that is the reason.
	Retry(ctx context.Context, content replay.Key) error

	// Drop removes an entry, for the operator. The error is ErrBusy or ErrUnknown
	// where that is the reason.
	Drop(ctx context.Context, content replay.Key) error

	// List calls yield with every entry, without its request, until that returns
	// false: the waiting ones as they were kept, then the dead ones as they died.
	// Neither lock nor transaction is held while yield runs, so it may be slow.
	List(yield func(Entry) bool) error

	// Counts returns how much there is. It costs next to nothing.
	Counts() Counts

	// Owners returns all whose entries are in the same place, also those that no
	// configuration has any more.
	Owners() []Owner

	// Close gives back this configuration's share, once the last entry that it has
	// is not busy any more. Nothing else is called after it, and another Close
	// does nothing.
	Close() error
}

// Hold is an entry that its holder has for itself. It ends with the first call
// of Finish, Later, Die or Release; further ones do nothing.
type Hold interface {
	// Entry returns the entry with its request, without the body.
	Entry() *Entry

	// Body returns the body, which has exactly Entry().Size bytes. It is
	// ErrDamaged if it is not what was kept. The caller closes it before it ends
	// the hold.
	Body() (io.ReadCloser, error)

	// Finish removes the entry: the application has taken the delivery. On an
	// error the store remembers it for as long as the process lives: it is not
	// attempted again, and is removed as soon as that works.
	Finish(ctx context.Context) error

	// Later stores the outcome of an attempt and makes the entry wait for the
	// given time.
	Later(ctx context.Context, o Outcome, wait time.Duration) error

	// Die stores the outcome of an attempt and makes the entry dead. The history
	// forgets it afterwards, not before.
	Die(ctx context.Context, o Outcome) error

	// Release ends the hold without an outcome, since there was no attempt. The
	// entry is due as it was. Nothing is written.
	Release()
}

// Outcome is what an attempt ended with.
type Outcome struct {
	// Attempts is how many attempts there have been, with this one. The first
	// request of a rescue does not count.
	Attempts int
	// Status is what the application answered, zero if nothing.
	Status int
	// Error says why there was no answer that counts. It has no payload.
	Error string
	// Hurried says that the entry waits for nothing but the application to work
	// again, so that Hurry makes it due. It is false if the application has said
	// when to come again.
	Hurried bool
}

// State is what becomes of an entry.
type State string

const (
	// Waiting is an entry that will be attempted.
	Waiting State = "waiting"
	// Dead is an entry that will not.
	Dead State = "dead"
)

// Entry is a delivery in an inbox.
type Entry struct {
	Owner Owner
	Facts Facts
	// Keys are those of the history. With tenants they differ by tenant.
	Keys replay.Event
	// ReceivedAt is when the body was there, by the machine's clock.
	ReceivedAt time.Time
	// ClientIP is who sent it, as the handler's configuration sees it.
	ClientIP string
	// Request is empty but for its method and URI where an entry comes without
	// its request.
	Request Request

	// The store sets what follows.

	State State
	// Size is that of the body.
	Size int64
	// KeptAt is when it was kept, by the machine's clock.
	KeptAt time.Time
	// Age is how long it has waited since, or how long it has been dead.
	Age time.Duration
	// Wait is how long it is until it is due. It is not above zero if it is due,
	// and zero if it is dead.
	Wait time.Duration
	Busy bool
	// Last is the outcome of the last attempt.
	Last Outcome
}

// Counts is how much an inbox has of its owner.
type Counts struct {
	Waiting, Dead int
	// Bytes is what they count against max_size.
	Bytes int64
	// Oldest is how long the oldest of the waiting ones has waited; zero if none
	// does.
	Oldest time.Duration
}
