package container

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/ports"
)

const redisImage = "hooklatch-e2e-redis"

// replica is one of several gateways.
type replica struct {
	*sidecar
	id string // of its container
}

// startReplicas starts the example with two gateways and Redis, and waits until
// both gateways answer.
func startReplicas(t *testing.T, secret string) (*sidecar, []replica) {
	t.Helper()
	s := copied(t, secret)
	needRedis(t)
	if said, err := exec.Command("./redis-image.sh", redisImage).CombinedOutput(); err != nil {
		t.Fatalf("making an image of this machine's Redis: %v\n%s", err, said)
	}
	s.files = append(s.files, "compose.replicas.yaml")
	s.env = []string{"HOOKLATCH_PORT=" + freePair(t), "HOOKLATCH_REDIS_IMAGE=" + redisImage}
	s.writeRedisSecrets(t)
	began := time.Now()
	s.up(t)
	replicas := s.replicas(t)
	fmt.Printf("two gateways and Redis answered %v after compose up\n", time.Since(began).Round(100*time.Millisecond))
	return s, replicas
}

// needRedis skips a test where Redis is not installed, but not in CI.
func needRedis(t *testing.T) {
	t.Helper()
	for _, program := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		why := program + " is missing: install redis-server (as .ci/run does)"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
}

// freePair returns two ports that follow one another, as compose wants a range.
func freePair(t *testing.T) string {
	t.Helper()
	port, err := ports.Take(2)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d-%d", port, port+1)
}

// writeRedisSecrets runs the README's own lines.
func (s *sidecar) writeRedisSecrets(t *testing.T) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(s.dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	const first, last = "    mkdir -p secrets/redis\n", "    END\n"
	_, lines, found := strings.Cut(string(readme), first)
	lines, _, ended := strings.Cut(lines, last)
	if !found || !ended {
		t.Fatal("the README does not say how the secrets are written")
	}
	lines = strings.ReplaceAll("\n"+first+lines+last, "\n    ", "\n")
	if said, err := execute(t.Context(), nil, "sh", "-euc", `cd "$0"`+lines, s.dir); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
}

// replicas are the gateways that run, with the ports that they have now.
func (s *sidecar) replicas(t *testing.T) []replica {
	t.Helper()
	var all []replica
	for id := range strings.FieldsSeq(s.container(t, "gateway")) {
		published := docker(t, "port", id, "8080/tcp")
		one := *s
		one.port = published[strings.LastIndex(published, ":")+1:]
		one.awaitAnswer(t)
		all = append(all, replica{&one, id})
	}
	return all
}

// insist sends a delivery as a provider does, again for as long as it is told
// to. It gives the last answer, and may run beside the test.
func (r replica) insist(ctx context.Context, d delivery) (int, string, error) {
	for deadline := time.Now().Add(soon); ; time.Sleep(100 * time.Millisecond) {
		status, answer, err := r.try(ctx, d)
		if err != nil || status != http.StatusServiceUnavailable || time.Now().After(deadline) {
			return status, answer, err
		}
	}
}
