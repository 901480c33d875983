package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/inbox/inboxtest"
	"github.com/hooklatch/hooklatch/module/replay"
)

// The environment variables of a child: the file, where it begins and how many
// steps it takes.
const (
	childPath  = "INBOX_CHILD"
	childFrom  = "INBOX_CHILD_FROM"
	childSteps = "INBOX_CHILD_STEPS"
)

// childSize returns the size of a delivery's body: most bodies are stored in
// the inbox file, some in files of their own.
func childSize(n uint64) int { return []int{100, 3000, 70_000}[n%3] }

// TestChild is the process that these tests kill. It prints each step before it
// takes it, and again once it is done.
func TestChild(t *testing.T) {
	path := os.Getenv(childPath)
	if path == "" {
		t.Skip("it is run by other tests")
	}
	from, _ := strconv.ParseUint(os.Getenv(childFrom), 10, 64)
	steps, _ := strconv.ParseUint(os.Getenv(childSteps), 10, 64)
	v, err := (&Store{Options: inbox.Options{MaxSize: 1 << 30}, path: path, source: machineTime()}).Open(inbox.OpenOptions{Owner: inboxtest.Owner})
	inboxtest.Do(t, err)
	ctx := context.Background()
	for n := from; n < from+steps; n++ {
		// The first byte of a line marks it for the code that reads the trace of
		// writes.
		fmt.Fprintf(os.Stdout, "#keep %d\n", n)
		h := inboxtest.KeepEntry(t, v, inboxtest.Delivery(n), inboxtest.Body(n, childSize(n)))
		fmt.Fprintf(os.Stdout, "#kept %d\n", n)
		h.Release()
		if n%2 == 0 {
			continue
		}
		h, ok, err := v.Take()
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		m := h.Entry().Facts.ID[len("evt_"):]
		fmt.Fprintf(os.Stdout, "#end %s\n", m)
		if n%5 == 0 {
			inboxtest.Do(t, h.Die(ctx, inbox.Outcome{Attempts: 1, Status: 400}))
			fmt.Fprintf(os.Stdout, "#dead %s\n", m)
			continue
		}
		inboxtest.Do(t, h.Finish(ctx))
		fmt.Fprintf(os.Stdout, "#gone %s\n", m)
	}
	os.Exit(0) // as if killed: nothing is closed
}

// child returns a command that runs TestChild.
func child(path string, from, steps uint64, wrapped ...string) *exec.Cmd {
	args := append(wrapped, os.Args[0], "-test.run", "^TestChild$", "-test.count", "1")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childPath+"="+path, childFrom+"="+fmt.Sprint(from), childSteps+"="+fmt.Sprint(steps))
	return cmd
}

// told is the output of a child: the last word about every delivery.
type told map[uint64]string

func (t told) read(line string) bool {
	word, number, ok := strings.Cut(strings.TrimSpace(line), " ")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || !strings.HasPrefix(word, "#") {
		return false
	}
	t[n] = word[1:]
	return true
}

// holds opens a file and compares it with what was told. Steps in progress may
// have been done or not; everything else must match exactly.
func (t told) holds(test *testing.T, path, when string) {
	test.Helper()
	s := &Store{Options: inbox.Options{MaxSize: 1 << 30}, path: path, source: machineTime()}
	in, err := s.Open(inbox.OpenOptions{Owner: inboxtest.Owner})
	if err != nil {
		test.Fatalf("%s: %v", when, err)
	}
	v := in.(*view)
	defer closed(test, v)
	states := map[replay.Key]inbox.State{}
	for _, e := range inboxtest.List(test, v) {
		states[e.Keys.Content] = e.State
	}
	files := 0
	for n, word := range t {
		state, there := states[inboxtest.Key(n)]
		delete(states, inboxtest.Key(n))
		switch word {
		case "keep": // either is allowed
		case "kept":
			if state != inbox.Waiting {
				test.Fatalf("%s: delivery %d was kept, and is %q", when, n, state)
			}
		case "end":
		case "dead":
			if state != inbox.Dead {
				test.Fatalf("%s: delivery %d died, and is %q", when, n, state)
			}
		case "gone":
			if there {
				test.Fatalf("%s: delivery %d was finished, and is %q", when, n, state)
			}
		}
		if there {
			if childSize(n) > inlineBody {
				files++
			}
			checkWhole(test, v, n, when)
		}
	}
	if len(states) > 0 {
		test.Fatalf("%s: nobody has kept %v", when, states)
	}
	entries, err := os.ReadDir(v.box.folder)
	if err != nil {
		test.Fatal(err)
	}
	bodies := 0
	for _, e := range entries {
		if e.Name() != reserveName {
			bodies++
		}
	}
	if bodies != files {
		test.Fatalf("%s: %d files for %d bodies", when, bodies, files)
	}
}

func checkWhole(t *testing.T, v *view, n uint64, when string) {
	t.Helper()
	h, e, err := v.load(inboxtest.Key(n))
	if err != nil {
		t.Fatalf("%s: delivery %d: %v", when, n, err)
	}
	r, err := v.openBody(h)
	if err != nil {
		t.Fatalf("%s: the body of delivery %d: %v", when, n, err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil || string(body) != string(inboxtest.Body(n, childSize(n))) {
		t.Fatalf("%s: delivery %d has another body (%v)", when, n, err)
	}
	if e.Request.URI != inboxtest.Delivery(n).Request.URI {
		t.Fatalf("%s: delivery %d has another request", when, n)
	}
}

// TestKilled repeatedly kills a process at a random moment and checks the file.
// INBOX_KILLS sets how often; the default is two times, or six with THOROUGH.
func TestKilled(t *testing.T) {
	rounds := 2
	if thorough {
		rounds = 6
	}
	if n, err := strconv.Atoi(os.Getenv("INBOX_KILLS")); err == nil {
		rounds = n
	}
	path, said := newPath(t), told{}
	r := rand.New(rand.NewPCG(1, uint64(rounds)))
	for round := range uint64(rounds) {
		cmd := child(path, round*1000, 1000)
		out, err := cmd.StdoutPipe()
		inboxtest.Do(t, err)
		inboxtest.Do(t, cmd.Start())
		lines, kill := bufio.NewScanner(out), 1+r.IntN(60)
		for line := 0; lines.Scan(); line++ {
			if said.read(lines.Text()) && line == kill {
				inboxtest.Do(t, cmd.Process.Kill())
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Success() {
			t.Fatalf("the child was not killed: %v", err)
		}
		said.holds(t, path, fmt.Sprintf("round %d, killed at line %d", round, kill))
	}
	kept := 0
	for _, word := range said {
		if word != "keep" {
			kept++
		}
	}
	t.Logf("%d kills, %d deliveries kept, none lost", rounds, kept)
	if kept < rounds {
		t.Error("nothing was kept")
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		t.Error(err)
	}
}
