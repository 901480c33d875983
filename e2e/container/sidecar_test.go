package container

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// The secrets are canaries too: no log may hold them.
const (
	firstSecret = "container-canary-first-7Hs2Kq9w"
	nextSecret  = "container-canary-next-4Vb8Mz1x"
	queryToken  = "container-canary-query-6Gd3Rf5p"
)

// What JSON is not, and what a template or a placeholder would be: all of it is
// the application's business and comes through unchanged.
const anyBytes = "{\"code\":\"dir_sync.user.update.success\"}\r\n\x00\xff{{.Req.Method}}{env.HOME}\n\n"

// TestSidecar goes the way of examples/sidecar/README.md, and what an attacker
// would try on it.
func TestSidecar(t *testing.T) {
	s := start(t, firstSecret)
	s.awaitAnswer(t)
	now := time.Now()
	first := signed("first", firstSecret, anyBytes, now)

	t.Run("authentic", func(t *testing.T) { s.accepted(t, first) })
	t.Run("forged", func(t *testing.T) {
		d := signed("forged", "guessed", `{}`, now)
		s.refused(t, d, http.StatusUnauthorized)
		d.signature = ""
		s.refused(t, d.as("unsigned"), http.StatusUnauthorized)
		d = signed("changed", firstSecret, `{"amount":1}`, now)
		d.body = `{"amount":9}`
		s.refused(t, d, http.StatusUnauthorized)
		s.refused(t, signed("stale", firstSecret, `{}`, now.Add(-time.Hour)), http.StatusUnauthorized)
	})
	t.Run("replayed", func(t *testing.T) { s.duplicate(t, first.as("replayed")) })
	t.Run("other path", func(t *testing.T) {
		response, err := s.client.Get(s.url("/elsewhere"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("answered %d", response.StatusCode)
		}
	})
	t.Run("straight to the application", s.straight)
	t.Run("confined", s.confined)
	t.Run("health", s.health)
	t.Run("at rest", func(t *testing.T) {
		usage := docker(t, "stats", "--no-stream", "--format", "{{.MemUsage}}", s.container(t, "gateway"))
		fmt.Printf("the gateway at rest uses %s of memory\n", usage)
	})

	t.Run("secret", func(t *testing.T) {
		d := signed("secret", nextSecret, `{"secret":"next"}`, now)
		s.writeSecret(t, nextSecret)
		s.refused(t, d.as("before-reload"), http.StatusUnauthorized)
		s.compose(t, "exec", "-T", "gateway", "hooklatch", "reload", "--force", "--config", "/etc/caddy/Caddyfile")
		s.accepted(t, d)
		s.refused(t, signed("old-secret", firstSecret, `{"secret":"old"}`, now), http.StatusUnauthorized)
		// The body is what counts: the history has it from before the reload.
		s.duplicate(t, signed("signed-anew", nextSecret, anyBytes, now))
	})

	again := signed("after-restart", nextSecret, `{"secret":"next"}`, now)
	t.Run("restart", func(t *testing.T) {
		s.duplicate(t, again.as("before-restart"))
		s.compose(t, "stop", "gateway")
		s.compose(t, "start", "gateway")
		answered := s.awaitAnswer(t)
		started, err := time.Parse(time.RFC3339Nano, s.inspect(t, "gateway", ".State.StartedAt"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("the gateway answered for the first time %v after its start\n", answered.Sub(started).Round(time.Millisecond))

		// What the README says is lost: the history in memory. The window of
		// signed times is what is left against a replay.
		s.accepted(t, again)
		s.duplicate(t, again.as("after-restart-again"))
		s.refused(t, signed("stale-after-restart", nextSecret, `{}`, now.Add(-time.Hour)), http.StatusUnauthorized)
		fmt.Println("lost by the restart: the history in memory; a replay within the tolerance was accepted once more")
	})

	want := []string{"first", "inside", "secret", "after-restart"}
	if arrived := s.arrived(t, "after-restart"); !slices.Equal(arrived, want) {
		t.Errorf("the application received %q, not %q", arrived, want)
	}
	log := s.logs(t, "gateway") + s.logs(t, "app")
	for _, secret := range []string{firstSecret, nextSecret, first.signature[len(first.signature)-20:], queryToken} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	if strings.Contains(log, "read-only file system") || strings.Contains(log, "permission denied") {
		t.Errorf("something could not be written:\n%s", log)
	}
}

// straight tries to get to the application past its gateway. What is refused
// from elsewhere works from inside, so that it is the network that refuses.
func (s *sidecar) straight(t *testing.T) {
	if published := docker(t, "port", s.container(t, "app")); published != "" {
		t.Errorf("the application is published: %s", published)
	}
	inside, edge := s.project+"_inside", s.project+"_edge"
	addr := s.inspect(t, "app", `(index .NetworkSettings.Networks "`+inside+`").IPAddress`)
	for _, network := range []string{edge, "bridge"} {
		for _, host := range []string{addr, "app"} {
			if said := withinTime(t, inVain, network, s.image, sending("http://"+host+":3000/", "straight-"+network)...); strings.Contains(said, "HTTP/") {
				t.Errorf("%s answers on the network %s:\n%s", host, network, said)
			}
		}
	}
	if said := s.from(t, inside, "http://"+addr+":3000/", "inside"); !strings.Contains(said, "200 OK") {
		t.Errorf("the application does not answer on its own network:\n%s", said)
	}
	if said := s.from(t, edge, "http://gateway:8080/cryptr", "edge"); !strings.Contains(said, "401 Unauthorized") {
		t.Errorf("the gateway does not answer on its network:\n%s", said)
	}
}

// from sends a delivery from another container, and returns the answer.
func (s *sidecar) from(t *testing.T, network, url, step string) string {
	t.Helper()
	return within(t, network, s.image, sending(url, step)...)
}

func sending(url, step string) []string {
	return []string{
		"webhook", "send", "--scheme", "cryptr", "--secret", "another", "--to", url,
		"--header", stepHeader + ": " + step, "/etc/hosts",
	}
}

// within returns what a container on a network says. Its questions for names
// leave the engine no way out.
func within(t *testing.T, network, image string, args ...string) string {
	t.Helper()
	return withinTime(t, patience, network, image, args...)
}

// inVain is how long a container tries to reach what it must not. A busy machine
// shortens the attempt; it cannot make the test fail.
const inVain = 5 * time.Second

// withinTime is within for a container that is stopped after a time.
func withinTime(t *testing.T, most time.Duration, network, image string, args ...string) string {
	t.Helper()
	options := []string{"--network", network}
	if !strings.HasPrefix(network, "container:") {
		options = append(options, "--dns", "127.0.0.1")
	}
	id := docker(t, slices.Concat([]string{"run", "--detach"}, options, []string{image}, args)...)
	defer docker(t, "rm", "--force", "--volumes", id)
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	_, _ = execute(ctx, nil, "docker", "wait", id)
	said, err := execute(t.Context(), nil, "sh", "-c", `docker logs "$0" 2>&1`, id)
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// confined asserts what the compose file promises.
func (s *sidecar) confined(t *testing.T) {
	for _, service := range []string{"gateway", "app"} {
		isConfined(t, s.container(t, service), "65532")
	}
}

func isConfined(t *testing.T, id, user string) {
	t.Helper()
	for field, want := range map[string]string{
		".Config.User":               user + ":" + user,
		".HostConfig.ReadonlyRootfs": "true",
		".HostConfig.CapDrop":        "[ALL]",
		".HostConfig.SecurityOpt":    "[no-new-privileges:true]",
		".HostConfig.Memory":         "268435456",
		".HostConfig.PidsLimit":      "100",
		".HostConfig.RestartPolicy":  "{unless-stopped 0}",
	} {
		if got := docker(t, "inspect", "--format", "{{"+field+"}}", id); got != want {
			t.Errorf("%s: %s is %q, not %q", id, field, got, want)
		}
	}
	if runs := strings.Fields(docker(t, "top", id, "-eo", "pid,uid")); runs[len(runs)-1] != user {
		t.Errorf("%s runs as %v", id, runs)
	}
}

// health asserts both answers of the check.
func (s *sidecar) health(t *testing.T) {
	for _, service := range []string{"gateway", "app"} {
		s.awaitHealth(t, service)
	}
	said, err := execute(t.Context(), nil, "docker", "run", "--rm", "--network", "none", s.image, "webhook", "health")
	if err == nil {
		t.Errorf("a container without a gateway is healthy: %s", said)
	}
}
