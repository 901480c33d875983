package module

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

// sharedHistory is the history of a label in one configuration. It stays open
// until the configuration has ended and its last request is done, because a
// reload does not wait for requests. Stores do not count their users
// themselves.
type sharedHistory struct {
	registration
	app *App
	ctx caddy.Context
	now func() time.Time // replaced by tests

	outlived bool // captures are kept for longer than this history remembers

	// opening is held while the store opens the history, so that requests that
	// arrive meanwhile wait for one attempt and share its outcome.
	opening  sync.Mutex
	failure  error // of the last attempt
	failedAt time.Time

	// mu may be taken while opening is held, never the other way round.
	mu      sync.Mutex
	opened  replay.History // nil before it is open and after it is closed
	kept    *labelInbox    // the inbox of the label, if it has one, while that is open
	unwatch func()         // ends its metrics
	users   int            // requests that are under way
	over    bool           // the configuration is over

	isClosed bool
	closed   chan struct{} // closed when isClosed becomes true
}

// retryOpening is how long the error of a failed attempt to open a history
// applies to later deliveries, before the next attempt.
const retryOpening = time.Second

// errConfigurationOver is returned to a request that arrives after its
// configuration has ended, such as on an HTTP/2 connection that Caddy has not
// closed yet.
var errConfigurationOver = errors.New("the configuration of this connection is over and its replay history closed; a retry reaches the running one")

// acquire keeps the history open, if it is, until release is called.
func (s *sharedHistory) acquire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
}

// release undoes acquire. The last request of a configuration that has ended
// closes the history.
func (s *sharedHistory) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	s.closeIfUnused()
}

// get returns the history to a caller that has acquired it. With an inbox, the
// inbox is asked before the history. Only verified deliveries call get. The
// first of them may arrive before the app has started, because Caddy starts
// apps in no particular order; it then opens the history.
func (s *sharedHistory) get() (replay.History, error) {
	opened, err := s.getOpened()
	if err != nil || s.kept == nil {
		return opened, err
	}
	return inboxFirst{opened, s.kept}, nil
}

func (s *sharedHistory) getOpened() (replay.History, error) {
	if opened, err := s.current(); opened != nil || err != nil {
		return opened, err
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.failure != nil && s.now().Sub(s.failedAt) < retryOpening {
		return nil, s.failure
	}
	return s.tryOpening()
}

// open opens the history when the configuration starts.
func (s *sharedHistory) open() error {
	s.opening.Lock()
	defer s.opening.Unlock()
	_, err := s.tryOpening()
	return err
}

// tryOpening opens the history unless it is open. The caller holds opening.
func (s *sharedHistory) tryOpening() (replay.History, error) {
	if opened, err := s.current(); opened != nil || err != nil {
		return opened, err
	}
	opened, err := s.store.Open(replay.OpenOptions{
		Label: s.label, TTL: s.ttl, Context: s.ctx,
		Failed:  s.recorder.failed,
		Evicted: s.recorder.evicted,
	})
	if err != nil {
		s.recorder.failed()
		s.failure, s.failedAt = fmt.Errorf("opening the replay history of %s: %w", s.label, err), s.now()
		return nil, s.failure
	}
	kept, err := s.openInbox(opened)
	if err != nil {
		_ = opened.Close()
		s.failure, s.failedAt = err, s.now()
		return nil, s.failure
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened, s.kept = opened, kept
	s.unwatch = s.recorder.watch(opened)
	historiesByLabel.add(s)
	return opened, nil
}

// current returns the history if it is open, and an error if it will not be
// opened any more.
func (s *sharedHistory) current() (replay.History, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened == nil && s.over {
		return nil, errConfigurationOver
	}
	return s.opened, nil
}

// close closes the history once no request uses it.
func (s *sharedHistory) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.closeIfUnused()
}

// stopAttempts stops starting attempts for deliveries in the inbox.
func (s *sharedHistory) stopAttempts() {
	if kept := s.currentInbox(); kept != nil {
		kept.stop()
	}
}

// currentInbox returns the inbox if there is one and it is open.
func (s *sharedHistory) currentInbox() *labelInbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return nil
	}
	return s.kept
}

// closeIfUnused closes the history if the configuration has ended and no
// request uses it. It is called with the lock held.
func (s *sharedHistory) closeIfUnused() {
	if !s.over || s.users > 0 || s.isClosed {
		return
	}
	s.isClosed = true
	defer close(s.closed)
	if s.opened == nil {
		return
	}
	historiesByLabel.remove(s)
	s.unwatch()
	if s.kept != nil {
		s.kept.close()
	}
	if err := s.opened.Close(); err != nil {
		s.ctx.Logger().Error("closing replay history", zap.String("provider", s.label), zap.Error(err))
	}
	s.opened = nil
}

// historiesByLabel holds the open histories of this process. The admin endpoint
// looks here and not in its configuration: Caddy replaces the endpoint before
// it loads the apps, and keeps the new one even if that configuration then
// fails.
var historiesByLabel historyTable

// historyTable lists histories in the order in which they were opened.
type historyTable struct {
	mu   sync.Mutex
	open []*sharedHistory
}

func (t *historyTable) add(s *sharedHistory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = append(t.open, s)
}

func (t *historyTable) remove(s *sharedHistory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = slices.DeleteFunc(t.open, func(each *sharedHistory) bool { return each == s })
}

// newest returns the history of a label that was opened last, or nil. Requests
// of an older configuration may still hold another one open.
func (t *historyTable) newest(label string) *sharedHistory {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range slices.Backward(t.open) {
		if s.label == label {
			return s
		}
	}
	return nil
}

// active returns the history of a label in the running configuration, or nil.
func (t *historyTable) active(label string) *sharedHistory {
	t.mu.Lock()
	open := slices.Clone(t.open)
	t.mu.Unlock()
	for _, s := range slices.Backward(open) {
		if s.label == label && s.app.isActive() {
			return s
		}
	}
	return nil
}

// keyer makes the keys of the replay history. Each key is the first 128 bits of
// a SHA-256. Keys of different kinds never have the same input: it begins with
// the label, or with a kind, whose first character no label can contain.
type keyer struct {
	withTime bool // `key delivery`: the send time is part of the identity
	unique   bool // occurrence IDs are unique
	cuts     bool // a signed text can be cut in several ways
	signsID  bool // deliveries have a signed id, though perhaps not all of them
	pool     sync.Pool
}

const (
	withoutIDKind  = "#content\x00"
	occurrenceKind = "#occurrence\x00"
	cutKind        = "#cut\x00"
	variantKind    = "#variant\x00"
	unsignedKind   = "#unsigned\x00"
)

func newKeyer(scheme schemes.Scheme, withTime bool) *keyer {
	k := &keyer{withTime: withTime, unique: scheme.UniqueOccurrence(), cuts: scheme.HasBoundaries(), signsID: scheme.SignsID()}
	k.pool.New = func() any { return &contentHash{Hash: sha256.New()} }
	return k
}

// contentHash is reused.
type contentHash struct {
	hash.Hash
	scratch []byte
	sum     [sha256.Size]byte
}

// content returns the content key. Its input is the label, with `key delivery`
// the send time as signed, and the signed id. Without a signed id, the input
// has instead everything signed besides the body, and then the body.
//
// A body must not be taken for an id that has the same text. So if the scheme
// signs ids, the key of a delivery without one is of another kind. All other
// keys are the same as before this kind existed, so that entries in existing
// histories are still found.
func (k *keyer) content(owner string, claim *schemes.SignedHeaders, id string, body []byte) replay.Key {
	c := k.pool.Get().(*contentHash)
	defer k.pool.Put(c)
	c.Reset()
	c.scratch = c.scratch[:0]
	if k.signsID && id == "" {
		c.scratch = append(c.scratch, withoutIDKind...)
	}
	c.scratch = k.appendHead(c.scratch, owner, claim)
	if id != "" {
		c.scratch = append(c.scratch, id...)
		c.Write(c.scratch)
		return firstBits(c.Sum(c.sum[:0]))
	}
	if len(claim.Identity) > 0 {
		c.scratch = append(append(c.scratch, claim.Identity...), 0)
	}
	c.Write(c.scratch)
	c.Write(body)
	return firstBits(c.Sum(c.sum[:0]))
}

// idKey is the content key of a delivery with a signed id.
func idKey(owner, id string) replay.Key {
	return keyOf([]byte(owner + "\x00" + id))
}

// appendHead appends the common beginning of content and occurrence keys.
func (k *keyer) appendHead(b []byte, owner string, claim *schemes.SignedHeaders) []byte {
	b = append(append(b, owner...), 0)
	if k.withTime {
		b = append(append(b, claim.SentAtText...), 0)
	}
	return b
}

// event returns the keys of a delivery.
func (k *keyer) event(owner string, claim *schemes.SignedHeaders, id string, body, cut []byte) replay.Event {
	e := replay.Event{Content: k.content(owner, claim, id, body), Unsigned: fingerprint(claim, cut)}
	switch {
	case k.cuts:
		e.Occurrence = k.cut(owner, e.Content, cut)
	case k.unique && claim.OccurrenceID.Value != "":
		e.Occurrence = k.occurrence(owner, claim)
	}
	return e
}

// occurrence returns the key of an occurrence ID.
func (k *keyer) occurrence(owner string, claim *schemes.SignedHeaders) replay.Key {
	b := k.appendHead([]byte(occurrenceKind), owner, claim)
	return keyOf(append(b, claim.OccurrenceID.Value...))
}

// cut returns the key of how a signed text is cut. The history keeps it next to
// the content, in place of an occurrence ID, so that Handler.compareCut can ask
// whether this cut was delivered.
func (k *keyer) cut(owner string, content replay.Key, cut []byte) replay.Key {
	b := append([]byte(cutKind), owner...)
	b = append(append(b, 0), content[:]...)
	return keyOf(append(b, cut...))
}

// variant returns the content key of a delivery that conflicts and is forwarded
// anyway. It covers the content and the unsigned values.
func (k *keyer) variant(owner string, content replay.Key, unsigned uint64) replay.Key {
	b := append([]byte(variantKind), owner...)
	b = append(append(b, 0), content[:]...)
	return keyOf(binary.BigEndian.AppendUint64(b, unsigned))
}

// fingerprint returns a hash of the values that the provider sends without
// signing them, and of how a signed text is cut. A missing value counts as a
// value too.
func fingerprint(claim *schemes.SignedHeaders, cut []byte) uint64 {
	if !claim.OccurrenceID.Sent && !claim.UnsignedEvent.Sent && len(cut) == 0 {
		return 0
	}
	b := []byte(unsignedKind)
	for _, u := range []schemes.Unsigned{claim.OccurrenceID, claim.UnsignedEvent} {
		if !u.Sent {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		b = binary.BigEndian.AppendUint64(b, uint64(len(u.Value)))
		b = append(b, u.Value...)
	}
	return keyOf(append(b, cut...)).Mark()
}

func keyOf(b []byte) replay.Key {
	sum := sha256.Sum256(b)
	return firstBits(sum[:])
}

func firstBits(sum []byte) (key replay.Key) {
	copy(key[:], sum)
	return key
}
