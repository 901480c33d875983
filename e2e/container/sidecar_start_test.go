package container

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

const example = "../../examples/sidecar"

// sidecar is the running example.
type sidecar struct {
	dir     string
	project string
	port    string // of the gateway that is sent to
	image   string
	client  http.Client

	files []string // for compose
	env   []string
}

// copied is a copy of the example, because secrets are written beside it.
func copied(t *testing.T, secret string) *sidecar {
	t.Helper()
	s := &sidecar{
		dir:     t.TempDir(),
		project: fmt.Sprintf("hooklatch-e2e-%d", os.Getpid()),
		image:   image(t),
		client:  http.Client{Timeout: soon},
		files:   []string{"compose.yaml"},
	}
	if err := os.CopyFS(s.dir, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	s.writeSecret(t, secret)
	return s
}

// start starts the example with `docker compose up`, as its README says.
func start(t *testing.T, secret string) *sidecar {
	t.Helper()
	s := copied(t, secret)
	s.port = harness.FreePort(t)
	s.env = []string{"HOOKLATCH_PORT=" + s.port}
	s.up(t)
	return s
}

func (s *sidecar) up(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { s.takeDown(t) })
	s.compose(t, "up", "--detach", "--no-build")
}

// writeSecret exchanges the file by renaming, as editors and secret managers do.
// Nobody but the container's user can read it.
func (s *sidecar) writeSecret(t *testing.T, secret string) {
	t.Helper()
	folder := filepath.Join(s.dir, "secrets")
	write(t, []byte(secret+"\n"), folder, ".new")
	next := filepath.Join(folder, ".new")
	if err := os.Chown(next, 65532, 65532); err != nil {
		t.Fatalf("%v: the engine's root gives files to the container's user, so run this test as root", err)
	}
	if err := os.Chmod(next, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(folder, "cryptr")); err != nil {
		t.Fatal(err)
	}
}

// compose returns the command's output, and ends the test if it fails.
func (s *sidecar) compose(t *testing.T, args ...string) string {
	t.Helper()
	said, err := s.tryCompose(nil, args...)
	if err != nil {
		t.Fatalf("compose %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return said
}

func (s *sidecar) tryCompose(input []byte, args ...string) (string, error) {
	command := slices.Concat([]string{"env", "HOOKLATCH_IMAGE=" + s.image}, s.env, composeCommand(), []string{"--project-name", s.project})
	for _, file := range s.files {
		command = append(command, "--file", filepath.Join(s.dir, file))
	}
	return execute(context.Background(), input, append(command, args...)...)
}

// takeDown leaves nothing of the example, whatever became of the test.
func (s *sidecar) takeDown(t *testing.T) {
	if t.Failed() {
		said, _ := s.tryCompose(nil, "logs", "--tail", "20")
		t.Log(said)
	}
	s.compose(t, "down", "--volumes")
	for _, kind := range []string{"container", "network", "volume"} {
		args := []string{kind, "ls", "--quiet", "--filter", "label=com.docker.compose.project=" + s.project}
		if kind == "container" {
			args = append(args, "--all")
		}
		if left := docker(t, args...); left != "" {
			t.Errorf("left of kind %s: %s", kind, left)
		}
	}
}

// container gives the identifier of a service's.
func (s *sidecar) container(t *testing.T, service string) string {
	t.Helper()
	return strings.TrimSpace(s.compose(t, "ps", "--quiet", service))
}

// inspect reads one field of a service's container.
func (s *sidecar) inspect(t *testing.T, service, field string) string {
	t.Helper()
	return docker(t, "inspect", "--format", "{{"+field+"}}", s.container(t, service))
}

// url is where the gateway is published.
func (s *sidecar) url(path string) string { return "http://127.0.0.1:" + s.port + path }

// awaitAnswer returns when the gateway answered for the first time.
func (s *sidecar) awaitAnswer(t *testing.T) time.Time {
	t.Helper()
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		response, err := s.client.Get(s.url("/"))
		if err == nil {
			response.Body.Close()
			return time.Now()
		}
	}
	t.Fatalf("waited %v for an answer", soon)
	return time.Time{}
}

// awaitHealth is for the engine's own view.
func (s *sidecar) awaitHealth(t *testing.T, service string) {
	t.Helper()
	status := ""
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if status = s.inspect(t, service, ".State.Health.Status"); status == "healthy" {
			return
		}
	}
	t.Fatalf("%s is %s", service, status)
}

// arrived are the steps of all requests that the application has logged, in
// order; it waits for the last one.
func (s *sidecar) arrived(t *testing.T, last string) []string {
	t.Helper()
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var steps []string
		for line := range strings.Lines(s.logs(t, "app")) {
			var entry struct {
				Msg     string
				Request struct{ Headers http.Header }
			}
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "handled request" {
				steps = append(steps, entry.Request.Headers.Get(stepHeader))
			}
		}
		if slices.Contains(steps, last) {
			return steps
		}
	}
	t.Fatalf("waited %v for %s in the application's log", soon, last)
	return nil
}

// logs is all that a service's container wrote; Caddy writes to standard error.
func (s *sidecar) logs(t *testing.T, service string) string {
	t.Helper()
	id := s.container(t, service)
	said, err := execute(t.Context(), nil, "sh", "-c", `docker logs "$0" 2>&1`, id)
	if err != nil {
		t.Fatal(err)
	}
	return said
}
