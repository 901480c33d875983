package e2e

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// library is a provider's own library, used through a program.
// official/node/libraries.mjs explains the fields.
type library struct {
	Name       string `json:"library"`
	Version    string `json:"version"`
	Scheme     string `json:"scheme"`
	Bodies     string `json:"bodies"`
	Signs      bool   `json:"signs"`
	Verifies   bool   `json:"verifies"`
	JudgesTime bool   `json:"judges_time"`

	command []string
}

func (l library) String() string { return l.Name + " " + l.Version }

// takes reports whether the library can verify the content.
func (l library) takes(c content) bool {
	return c.kind == compactJSON || l.Bodies == c.kind || l.Bodies == anyBytes
}

// clocked reports whether the library can verify a time long ago. Those for Go
// use the real clock.
func (l library) clocked() bool { return l.command[0] == "node" || !l.JudgesTime }

// question is a request to a library. Those for Node use Now as their clock.
type question struct {
	List    bool        `json:"list,omitempty"`
	Library string      `json:"library,omitempty"`
	Scheme  string      `json:"scheme,omitempty"`
	Secret  string      `json:"secret,omitempty"`
	Body    []byte      `json:"body_base64"`
	At      int64       `json:"at_ms"`
	Now     int64       `json:"now_ms"`
	URL     string      `json:"url,omitempty"`
	ID      string      `json:"id,omitempty"`
	Headers [][2]string `json:"headers,omitempty"`

	// For schemes/schemestest/judge.
	Method    string `json:"method,omitempty"`
	JudgeTime bool   `json:"judge_time,omitempty"`
}

// said is the library's answer. Only the fields for the question are set.
type said struct {
	Libraries []library   `json:"libraries"`
	Headers   [][2]string `json:"headers"`
	Accepted  bool        `json:"accepted"`
	Refused   string      `json:"refused"`
	Error     string      `json:"error"`
	Read      *eventRead  `json:"read"`
}

// eventRead is what is read of a verified delivery.
type eventRead struct {
	ID         string `json:"id"`
	Event      string `json:"event"`
	OccurredMS int64  `json:"occurred_at_ms"`
}

func ask(t *testing.T, command []string, q question) said {
	t.Helper()
	var s said
	err := harness.Helper(t, command[0], command[1:]...).Ask(q, &s)
	if err == nil && s.Error != "" {
		err = errors.New(s.Error)
	}
	if err != nil {
		t.Fatalf("%v, %s: %v", command, q.Library, err)
	}
	return s
}

// sign returns the headers as the library signs them.
func (l library) sign(t *testing.T, o outgoing) []harness.Header {
	t.Helper()
	s := ask(t, l.command, question{
		Library: l.Name, Scheme: l.Scheme, Secret: o.key, Body: harness.NonNil(o.body),
		At: o.at.UnixMilli(), Now: o.at.UnixMilli(), URL: o.url, ID: o.id,
	})
	var headers []harness.Header
	for _, h := range s.Headers {
		headers = append(headers, harness.Header{Name: h[0], Value: h[1]})
	}
	return headers
}

// verify returns nil if the library accepts the delivery to the URL.
func (l library) verify(t *testing.T, d harness.Delivery, secret, url string, now time.Time) error {
	t.Helper()
	s := ask(t, l.command, question{
		Library: l.Name, Scheme: l.Scheme, Secret: secret, Body: harness.NonNil(d.Body),
		Now: now.UnixMilli(), URL: url, Headers: harness.Pairs(d.Headers),
	})
	if s.Accepted == (s.Refused != "") {
		t.Fatalf("%v says neither yes nor no", l)
	}
	if s.Refused != "" {
		return errors.New(s.Refused)
	}
	return nil
}

// officialLibraries returns all libraries of the two programs.
func officialLibraries(t *testing.T) []library {
	t.Helper()
	harness.Needs(t, "node")
	harness.Needs(t, "npm")
	if err := installedOfficial(); err != nil {
		t.Fatal(err)
	}
	var libraries []library
	for _, command := range [][]string{{"node", nodeOfficial + "/main.mjs"}, {harness.Must(t, builtOfficial)}} {
		for _, l := range ask(t, command, question{List: true}).Libraries {
			l.command = command
			libraries = append(libraries, l)
		}
	}
	return libraries
}

const nodeOfficial = "official/node"

// installedOfficial installs the libraries for Node in the folder of their
// program.
var installedOfficial = sync.OnceValue(func() error { return npmInstall(nodeOfficial) })

// builtOfficial builds the program with the libraries for Go.
var builtOfficial = sync.OnceValues(func() (string, error) {
	output := filepath.Join(harness.WorkDir, "official")
	if said, err := exec.Command("go", "build", "-o", output, "./official").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building ./official: %w\n%s", err, said)
	}
	return output, nil
})
