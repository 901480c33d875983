package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/ports"
)

// redisServer is a real one, on a port of its own, that keeps nothing on disk.
type redisServer struct {
	addr string
	dir  string
	cmd  *exec.Cmd
}

func startRedis(ctx context.Context, dir string) (*redisServer, error) {
	port, err := ports.Take(1)
	if err != nil {
		return nil, err
	}
	s := &redisServer{addr: "127.0.0.1:" + strconv.Itoa(port), dir: dir}
	return s, s.start(ctx)
}

func (s *redisServer) start(ctx context.Context) error {
	_, port, _ := net.SplitHostPort(s.addr)
	s.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", s.dir)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	for range 600 {
		if conn, err := net.Dial("tcp", s.addr); err == nil {
			return conn.Close()
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return errors.New("redis-server does not start")
}

func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// inboxRedis kills one of two gateways again and again while their Redis hangs
// for moments, and takes all that Redis has while deliveries wait. A sender goes
// from one gateway to the other with its retries.
func inboxRedis(ctx context.Context, t *trial) error {
	if _, err := exec.LookPath("redis-server"); err != nil {
		fmt.Println("  skipped: redis-server is missing; install Redis 7 or later")
		return nil
	}
	var boxes [2]boxed
	for i := range boxes {
		box, err := newBoxed()
		if err != nil {
			return err
		}
		defer box.remove()
		boxes[i] = box
	}
	redis, err := startRedis(ctx, boxes[0].dir)
	if err != nil {
		return err
	}
	defer func() { redis.kill() }()
	app, err := startTaker("/hook")
	if err != nil {
		return err
	}
	defer app.stop()
	var gateways [2]*gateway
	for i, box := range boxes {
		history := fmt.Sprintf("replay redis redis://%s {\n\t\t\t\ttimeout 100ms\n\t\t\t\tlease 1s\n\t\t\t\tttl 73h\n\t\t\t}", redis.addr)
		gateways[i], err = startGateway(ctx, t, site{
			application: app.application, options: []string{history, box.inbox(rescuing()...)},
			proxy: namesProcess, env: []string{process(-i - 1)},
		})
		if err != nil {
			return err
		}
		defer gateways[i].Stop()
	}
	const senders = 4
	stream := &traffic{gateway: gateways[0], other: gateways[1], application: app.application, protocol: h1, senders: senders, size: 2 * kib, pause: 5 * time.Millisecond, retry: 20 * time.Millisecond}
	stream.start(ctx)
	rounds := (t.extent.rounds + 9) / 10
	waited := 0
	for n := range rounds {
		app.set(condition(n % int(conditions)))
		if err = redis.hang(ctx, time.Duration(rand.Int64N(int64(300*time.Millisecond)))); err != nil {
			break
		}
		if err = pause(ctx, time.Duration(rand.Int64N(int64(300*time.Millisecond)))); err != nil {
			break
		}
		if err = redis.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			break
		}
		err = pause(ctx, time.Duration(rand.Int64N(int64(100*time.Millisecond))))
		gateways[0].Kill()
		err = errors.Join(err, redis.cmd.Process.Signal(syscall.SIGCONT))
		if err == nil {
			err = gateways[0].restart(ctx, process(n+1))
		}
		if err != nil {
			break
		}
	}
	app.set(down)
	served := stream.end()
	if err != nil {
		return err
	}
	for _, g := range gateways {
		n, err := g.waiting(ctx)
		if err != nil {
			return err
		}
		waited += n
	}
	redis.kill() // and what it had is gone
	if err := redis.start(ctx); err != nil {
		return err
	}
	app.set(up)
	left := 0
	for _, g := range gateways {
		n, err := g.drained(ctx)
		if err != nil {
			return err
		}
		left += n
	}
	const inFlight = senders + 4 + 8*4 // with what a gateway has given and not yet removed
	t.report(
		app.sound() && left == 0 && served.gaveUp == 0 && app.total() <= 2*inFlight*rounds,
		fmt.Sprintf("%d times kill -9 of one of two gateways while Redis hangs, and Redis empty while deliveries wait", rounds),
		fmt.Sprintf("%v; %d waited when Redis lost all; %d attempts cut off by a kill; %d answered without success; %d left in the end", app, waited, served.cut, served.turnedAway(), left),
		fmt.Sprintf("nothing lost or changed, nothing repeated by one process, repeated at most the %d in flight for each kill and each hang, none left", inFlight),
	)
	return nil
}

// hang stops the server for a time.
func (s *redisServer) hang(ctx context.Context, d time.Duration) error {
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return errors.Join(pause(ctx, d), s.cmd.Process.Signal(syscall.SIGCONT))
}

// total is how many deliveries were repeated by another process.
func (t *taker) total() (sum int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.again {
		sum += n
	}
	return sum
}
