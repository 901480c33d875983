package module

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
)

// sharedHistory is the history of a label in one configuration. It stays open
// until the configuration is over and its last request has ended, because a
// reload does not wait for requests. Stores count nothing themselves.
type sharedHistory struct {
	registration
	ctx caddy.Context
	now func() time.Time // replaced by tests

	// opening is held while the store opens the history, so that requests that
	// come meanwhile wait for one attempt and share its outcome.
	opening  sync.Mutex
	failure  error // of the last attempt
	failedAt time.Time

	// mu may be taken while opening is held, never the other way round.
	mu      sync.Mutex
	opened  replay.History // nil before it is open and after it is closed
	unwatch func()         // ends its metrics
	users   int            // requests that are under way
	over    bool           // the configuration is over
}

// retryOpening is how long a failed attempt to open a history stands for the
// deliveries that come after it.
const retryOpening = time.Second

// errConfigurationOver is for a request that comes after its configuration is
// over, as on an HTTP/2 connection that Caddy has not ended yet.
var errConfigurationOver = errors.New("the configuration of this connection is over and its replay history closed; a retry reaches the running one")

// acquire keeps the history open, if it is, until release is called.
func (s *sharedHistory) acquire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
}

// release ends what acquire began. The last request of a configuration that is
// over closes the history.
func (s *sharedHistory) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	s.closeIfUnused()
}

// get returns the history to a caller that has acquired it. Only a verified
// delivery asks for it: the first one may come before the app has started, since
// Caddy starts apps in no particular order, and then opens the history.
func (s *sharedHistory) get() (replay.History, error) {
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
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = opened
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

// closeIfUnused is called with the lock held.
func (s *sharedHistory) closeIfUnused() {
	if !s.over || s.users > 0 || s.opened == nil {
		return
	}
	historiesByLabel.remove(s)
	s.unwatch()
	if err := s.opened.Close(); err != nil {
		s.ctx.Logger().Error("closing replay history", zap.String("provider", s.label), zap.Error(err))
	}
	s.opened = nil
}

// historiesByLabel holds the open histories of this process. The admin endpoint
// finds them here and not in its configuration: Caddy replaces the endpoint
// before it loads the apps, and keeps that of a configuration that then fails.
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

// newest finds the history of a label that was opened last, or nil: the requests
// of an older configuration may still have theirs open.
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
