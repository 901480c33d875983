package module

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
)

// sharedHistory is the history of a label in one configuration.
type sharedHistory struct {
	registration
	ctx caddy.Context

	opened atomic.Pointer[replay.History] // nil before it is open, and when it is closed
	users  atomic.Int64                   // requests that are under way
	over   atomic.Bool                    // the configuration is; the last request closes

	mu      sync.Mutex // for opening and closing
	unwatch func()     // ends its metrics
}

// open opens the history. Caddy starts apps in no particular order, so the first
// request may come before the app has started; and the last ones after the
// configuration is over, on HTTP/2 connections that it has not yet ended.
func (s *sharedHistory) open() (replay.History, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if opened := s.opened.Load(); opened != nil {
		return *opened, nil
	}
	opened, err := s.store.Open(replay.Opening{
		Label: s.label, TTL: s.ttl, Context: s.ctx, Late: s.over.Load(),
		Failed:  s.recorder.failed,
		Evicted: s.recorder.evicted,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the replay history of %s: %w", s.label, err)
	}
	s.opened.Store(&opened)
	s.unwatch = s.recorder.watch(opened)
	return opened, nil
}

// use opens the history for a request, which says with done when it is over,
// also after an error. A reload does not wait for requests: they end with the
// configuration that they began with, and until then it keeps its history.
func (s *sharedHistory) use() (replay.History, error) {
	s.users.Add(1) // before the look at it: whoever closes looks in the other order
	if opened := s.opened.Load(); opened != nil {
		return *opened, nil
	}
	return s.open()
}

func (s *sharedHistory) done() {
	if s.users.Add(-1) == 0 && s.over.Load() {
		if err := s.close(); err != nil {
			s.ctx.Logger().Error("closing replay history", zap.String("provider", s.label), zap.Error(err))
		}
	}
}

// close gives the history back, now or with the last request.
func (s *sharedHistory) close() error {
	s.over.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	opened := s.opened.Swap(nil)
	if s.users.Load() > 0 {
		s.opened.Store(opened)
		return nil
	}
	if opened == nil {
		return nil
	}
	s.unwatch()
	return (*opened).Close()
}
