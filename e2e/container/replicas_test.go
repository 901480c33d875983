package container

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReplicas goes the way of the README's section on two replicas with Redis.
func TestReplicas(t *testing.T) {
	s, replicas := startReplicas(t, firstSecret)
	if len(replicas) != 2 {
		t.Fatalf("%d gateways run", len(replicas))
	}
	one, other := replicas[0], replicas[1]
	now := time.Now()
	first := signed("first", firstSecret, anyBytes, now)

	t.Run("tidy", func(t *testing.T) { docker(t, "exec", one.id, "hooklatch", "fmt", "--diff", "/etc/caddy/Caddyfile") })
	t.Run("confined", func(t *testing.T) {
		for _, r := range replicas {
			isConfined(t, r.id, "65532")
		}
		isConfined(t, s.container(t, "redis"), "999")
	})
	t.Run("Redis from elsewhere", s.redisFromElsewhere)
	t.Run("forged", func(t *testing.T) {
		for _, r := range replicas {
			r.refused(t, signed("forged", "guessed", `{}`, now), http.StatusUnauthorized)
		}
	})
	t.Run("one after the other", func(t *testing.T) {
		one.accepted(t, first)
		other.duplicate(t, first.as("first-other"))
		second := signed("second", firstSecret, `{"n":2}`, now)
		other.accepted(t, second)
		one.duplicate(t, second.as("second-other"))
	})
	t.Run("at once", func(t *testing.T) { atOnce(t, replicas, 50) })
	t.Run("one stopped", func(t *testing.T) {
		docker(t, "stop", one.id)
		if status, _, err := one.try(t.Context(), first); err == nil {
			t.Errorf("the stopped gateway answers %d", status)
		}
		other.duplicate(t, first.as("first-alone"))
		third := signed("third", firstSecret, `{"n":3}`, now)
		other.accepted(t, third)
		s.compose(t, "up", "--detach", "--no-build")
		s.remembered(t, third.as("third-again"))
	})
	t.Run("Redis restarted", func(t *testing.T) {
		s.compose(t, "restart", "redis")
		s.remembered(t, first.as("first-again"))
	})

	last := signed("last", firstSecret, `{"n":4}`, now)
	s.replicas(t)[0].accepted(t, last)
	times := map[string]int{}
	for _, step := range s.arrived(t, "last") {
		times[step]++
	}
	want := []string{"first", "second", "third", "last"}
	for n := range 50 {
		want = append(want, fmt.Sprintf("both-%d", n))
	}
	for _, step := range want {
		if times[step] != 1 {
			t.Errorf("%s reached the application %d times", step, times[step])
		}
		delete(times, step)
	}
	if len(times) > 0 {
		t.Errorf("what should not have reached the application: %v", times)
	}
	s.logsHoldNoSecret(t)
}

// atOnce sends every delivery to all replicas at the same time. Which of them
// forwards it is open: it is one, and the others say so.
func atOnce(t *testing.T, replicas []replica, n int) {
	t.Helper()
	var wg sync.WaitGroup
	var forwarded atomic.Int64
	for i := range n {
		d := signed(fmt.Sprintf("both-%d", i), firstSecret, fmt.Sprintf(`{"both":%d}`, i), time.Now())
		for _, r := range replicas {
			wg.Go(func() {
				status, answer, err := r.insist(t.Context(), d)
				if err != nil || status != http.StatusOK {
					t.Errorf("%s: %d %v", d.step, status, err)
				}
				if answer != "" {
					forwarded.Add(1)
				}
			})
		}
	}
	wg.Wait()
	if got := forwarded.Load(); got != int64(n) {
		t.Errorf("of %d deliveries %d were forwarded", n, got)
	}
}

// remembered asserts that all replicas know the delivery, soon after something
// was away.
func (s *sidecar) remembered(t *testing.T, d delivery) {
	t.Helper()
	for _, r := range s.replicas(t) {
		if status, answer, err := r.insist(t.Context(), d); err != nil || status != http.StatusOK || answer != "" {
			t.Errorf("%s: %d %q %v, not 200 and nothing", d.step, status, answer, err)
		}
	}
}

// redisFromElsewhere tries to get to Redis from where it must not be reached,
// and from where it is.
func (s *sidecar) redisFromElsewhere(t *testing.T) {
	id, history := s.container(t, "redis"), s.project+"_history"
	if published := docker(t, "port", id); published != "" {
		t.Errorf("Redis is published: %s", published)
	}
	addr := s.inspect(t, "redis", `(index .NetworkSettings.Networks "`+history+`").IPAddress`)
	for _, network := range []string{s.project + "_edge", s.project + "_inside", "bridge"} {
		for _, host := range []string{addr, "redis"} {
			t.Run(network+" "+host, func(t *testing.T) {
				t.Parallel() // each of them waits in vain
				if said := withinTime(t, inVain, network, redisImage, "redis-cli", "-h", host, "ping"); strings.Contains(said, "PONG") {
					t.Errorf("it answers:\n%s", said)
				}
			})
		}
	}
	for command, want := range map[string]string{"ping": "PONG", "dbsize": "NOPERM", "acl whoami": "NOPERM"} {
		args := append([]string{"redis-cli", "-h", "redis"}, strings.Fields(command)...)
		if said := within(t, history, redisImage, args...); !strings.Contains(said, want) {
			t.Errorf("to %s on its own network Redis says %q", command, said)
		}
	}
}

// logsHoldNoSecret looks into everybody's.
func (s *sidecar) logsHoldNoSecret(t *testing.T) {
	t.Helper()
	password, err := os.ReadFile(filepath.Join(s.dir, "secrets/redis-password"))
	if err != nil || len(password) == 0 {
		t.Fatal("Redis has no password", err)
	}
	log := s.compose(t, "logs", "--no-color")
	for _, secret := range []string{firstSecret, queryToken, string(password)} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if strings.Contains(log, "read-only file system") || strings.Contains(log, "permission denied") {
		t.Errorf("something could not be written:\n%s", log)
	}
}
