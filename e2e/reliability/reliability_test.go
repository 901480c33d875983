package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestScenarios runs every scenario with small numbers. HOOKLATCH_BINARY names
// a ready gateway; otherwise one is built.
func TestScenarios(t *testing.T) {
	binary := os.Getenv("HOOKLATCH_BINARY")
	if binary == "" {
		binary = build(t)
	}
	if _, err := raiseDescriptors(); err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		for _, p := range s.protocols {
			t.Run(s.name+"/"+string(p), func(t *testing.T) {
				if strings.HasPrefix(s.name, "inbox-") {
					t.Parallel() // they mostly wait
				}
				trial := &trial{binary: binary, protocol: p, extent: small, print: func(r row) {
					t.Log("\n" + r.String())
					if !r.ok {
						t.Fail()
					}
				}}
				if err := s.run(t.Context(), trial); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "hooklatch")
	cmd := exec.Command("go", "build", "-tags", "nobadger,nomysql,nopgx", "-o", binary, "./cmd/hooklatch")
	cmd.Dir = "../.."
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return binary
}

// TestChanged: a body that differs in one byte, in length or from the one that
// its head names is noticed; otherwise the scenarios would see nothing.
func TestChanged(t *testing.T) {
	const size = 100 * kib
	sent, err := io.ReadAll(newBody(7, size))
	if err != nil || len(sent) != size {
		t.Fatalf("%d bytes, %v", len(sent), err)
	}
	changed := func(at int) []byte {
		body := bytes.Clone(sent)
		body[at] ^= 1
		return body
	}
	other, _ := io.ReadAll(newBody(8, size))
	for name, c := range map[string]struct {
		body []byte
		same bool
	}{
		"as sent":       {sent, true},
		"first byte":    {changed(0), false},
		"middle":        {changed(size / 2), false},
		"last byte":     {changed(size - 1), false},
		"cut":           {sent[:size-1], false},
		"longer":        {append(bytes.Clone(sent), '}'), false},
		"another's end": {append(bytes.Clone(sent[:size/2]), other[size/2:]...), false},
	} {
		t.Run(name, func(t *testing.T) {
			d, same, err := readDelivery(bytes.NewReader(c.body))
			if err != nil || same != c.same {
				t.Errorf("same %v, %v", same, err)
			}
			if same && d != (delivery{n: 7, size: size}) {
				t.Errorf("it is taken for %v", d)
			}
		})
	}
}

// TestTally: what is lost, doubled or changed is counted as such.
func TestTally(t *testing.T) {
	var a application
	once, twice, never, unsent := a.next(100), a.next(100), a.next(100), delivery{n: 99, size: 100}
	a.record(once, true)
	a.record(twice, true)
	a.record(twice, true)
	a.record(once, false)
	a.record(unsent, true)
	for _, d := range []delivery{once, twice, never} {
		a.noteAccepted(d)
	}
	want := tally{accepted: 3, lost: 1, doubled: 1, foreign: 2}
	if got := a.tally(); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}
