package redis

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/rueidis"
	"go.uber.org/zap"
)

// conn is a connection to Redis, which may not be established yet.
type conn struct {
	endpoint *endpoint
	stop     context.CancelFunc
	hide     *strings.Replacer // replaces secrets in errors

	// tried is closed when the first attempt to connect has ended.
	tried chan struct{}

	// busy limits how many goroutines wait for a Redis that does not respond.
	busy chan struct{}

	mu     sync.Mutex
	client rueidis.Client // nil until connected; it reconnects by itself
	err    error          // why there is no client
}

// mostBusy is enough for two thousand deliveries a second, each of which waits
// the longest time for one node of a cluster while the other nodes work.
const mostBusy = 4096

// The pauses between attempts to connect.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
)

// conns holds the connection to every Redis while any history uses it. A reload
// starts the new configuration before it stops the old one, and another
// provider does not need another connection.
var conns = caddy.NewUsagePool()

// acquire returns the connection to the endpoint. The caller releases it once.
func (t *endpoint) acquire() *conn {
	shared, _, _ := conns.LoadOrNew(t.id, func() (caddy.Destructor, error) { return connect(t), nil })
	return shared.(*conn)
}

// release undoes acquire.
func (l *conn) release() { _, _ = conns.Delete(l.endpoint.id) }

// connect returns a connection that is established in the background.
func connect(t *endpoint) *conn {
	pairs := make([]string, 0, 2*len(t.hidden))
	for _, secret := range t.hidden {
		pairs = append(pairs, secret, "***")
	}
	ctx, stop := context.WithCancel(context.Background())
	l := &conn{
		endpoint: t,
		stop:     stop,
		hide:     strings.NewReplacer(pairs...),
		tried:    make(chan struct{}),
		busy:     make(chan struct{}, mostBusy),
	}
	go l.run(ctx)
	return l
}

// Destruct closes the connection. It does not wait for a Redis that does not
// respond.
func (l *conn) Destruct() error {
	l.stop()
	return nil
}

// run connects, however long Redis takes, and owns the client.
func (l *conn) run(ctx context.Context) {
	var failures logLimiter
	first := sync.OnceFunc(func() { close(l.tried) })
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		client, err := rueidis.NewClient(l.endpoint.option)
		if err == nil {
			l.set(client, nil)
			first()
			if failures.ever() {
				logger().Info("connected to redis")
			}
			<-ctx.Done()
			client.Close()
			return
		}
		err = l.clean(err)
		l.set(nil, err)
		first()
		if times, now := failures.happened(time.Now()); now {
			logger().Error("cannot connect to redis; on_error decides what happens to deliveries, and the attempts go on",
				zap.Int("attempts", times), zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// logger returns the logger of the running configuration: a connection may
// outlive the configuration that it was made for.
func logger() *zap.Logger { return caddy.Log().Named("http.verify_webhook.replay_stores.redis") }

func (l *conn) set(client rueidis.Client, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client, l.err = client, err
}

var errSilent = errors.New("redis did not answer in time")

// enter returns the client and takes one of the places for callers that wait
// for Redis. do or leave frees the place.
func (l *conn) enter(ctx context.Context) (rueidis.Client, error) {
	select {
	case <-l.tried:
	case <-ctx.Done():
		return nil, errSilent
	}
	l.mu.Lock()
	client, err := l.client, l.err
	l.mu.Unlock()
	if client == nil {
		return nil, err
	}
	select {
	case l.busy <- struct{}{}:
		return client, nil
	case <-ctx.Done():
		return nil, errSilent
	}
}

func (l *conn) leave() { <-l.busy }

// do runs work, which may take as long as Redis lets it, and waits for it until
// ctx ends. The library does not always respect a context itself, for example
// while it connects for another caller, or while too many commands wait. If
// work ends after ctx has, do calls late with its error.
func (l *conn) do(ctx context.Context, work func() error, late func(error)) error {
	done := make(chan error)
	go func() {
		defer l.leave()
		err := l.clean(work())
		select {
		case done <- err:
		case <-ctx.Done():
			late(err)
		}
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errSilent
	}
}

// send sends commands, and sends them once more if the connection broke before
// all were answered. All commands of this store can be sent twice.
func send(ctx context.Context, client rueidis.Client, commands func(rueidis.Builder) rueidis.Commands) []rueidis.RedisResult {
	results := sendOnce(ctx, client, commands(client.B()))
	for _, result := range results {
		if result.NonRedisError() != nil && ctx.Err() == nil {
			return sendOnce(ctx, client, commands(client.B()))
		}
	}
	return results
}

func sendOnce(ctx context.Context, client rueidis.Client, commands rueidis.Commands) []rueidis.RedisResult {
	if len(commands) == 1 {
		return []rueidis.RedisResult{client.Do(ctx, commands[0])}
	}
	return client.DoMulti(ctx, commands...)
}

// clean replaces the secrets in an error and shortens it.
func (l *conn) clean(err error) error {
	const longest = 200
	if err == nil {
		return nil
	}
	text := l.hide.Replace(err.Error())
	if len(text) > longest {
		text = text[:longest] + "…"
	}
	return errors.New("redis: " + text)
}

// Interface guards
var _ caddy.Destructor = (*conn)(nil)
