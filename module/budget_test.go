package module

import (
	"errors"
	"io"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// expectNothingBuffered is what must be left once all is over, which may be a
// moment after a sender has read its answer.
func expectNothingBuffered(t *testing.T) {
	t.Helper()
	waitUntil(t, func() bool {
		runtime.GC() // some may be left to the collector
		return buffered.total.Load() == 0 && buffered.large.Load() == 0 && buffered.room.Load() == 0
	})
}

func TestBudgetDefault(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	if b := newBudget(0); b.total != 256<<20 || b.large != 224<<20 {
		t.Errorf("without a memory limit: %+v", b)
	}
	debug.SetMemoryLimit(64 << 20)
	if b := newBudget(0); b.total != 16<<20 || b.large != 14<<20 {
		t.Errorf("with one of 64 MiB: %+v", b)
	}
	debug.SetMemoryLimit(8 << 30)
	if b := newBudget(0); b.total != 256<<20 {
		t.Errorf("with one of 8 GiB: %+v", b)
	}
}

func TestMaxBodyFitsTheBudget(t *testing.T) {
	for _, c := range []struct {
		buffered, body, want int64
		err                  string
	}{
		{8 << 20, 0, 5 << 20, ""},
		{4 << 20, 0, 3584 << 10, ""}, // the default shrinks
		{4 << 20, 3584 << 10, 3584 << 10, ""},
		{4 << 20, 3584<<10 + 1, 0, "max_body: 3670017B is more than max_buffered leaves for large bodies; write max_body 3584KiB or less, or a max_buffered of at least 4097KiB in the global option verify_webhook"},
		{64 << 10, 0, 64 << 10, ""}, // small bodies may use all
		{32 << 10, 64 << 10, 0, "write max_body 32KiB or less"},
		{1 << 30, math.MaxInt64, 0, "write max_body 896MiB or less"},
	} {
		h := &Handler{MaxBody: c.body}
		err := h.fitBudget(newBudget(c.buffered))
		if c.err == "" && (err != nil || h.MaxBody != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%d of %d: %d, %v", c.body, c.buffered, h.MaxBody, err)
		}
	}
}

func TestSharesOfTheBudget(t *testing.T) {
	b := budget{total: 800 << 10, large: 700 << 10}
	var first, second, small hold
	for _, step := range []struct {
		name string
		of   *hold
		n    int64
		want bool
	}{
		{"a body is small at first", &first, 60 << 10, true},
		{"becomes large", &first, 600 << 10, true},
		{"the next one is small at first", &second, 40 << 10, true},
		{"and has no room among the large ones", &second, 40 << 10, false},
		{"a small one has", &small, 64 << 10, true},
		{"the rest of its share is for the large one", &first, 40 << 10, true},
		{"and no more", &first, 1, false},
	} {
		got := step.of.take(step.n, b)
		if got != step.want {
			t.Fatalf("%s: %v", step.name, got)
		}
		if !got {
			step.of.giveBack()
		}
	}
	for _, h := range []*hold{&first, &second, &small} {
		h.giveBack()
	}
	expectNothingBuffered(t)
}

// TestRefusedBytesAreNotCounted, whichever share is full, and whether or not
// they would have made the body a large one.
func TestRefusedBytesAreNotCounted(t *testing.T) {
	expectNothingBuffered(t)
	for name, c := range map[string]struct {
		budget      budget
		first, more int64
	}{
		"a small one, all is full":                 {budget{total: 10, large: 10}, 8, 3},
		"a large one, its share is full":           {budget{total: 400 << 10, large: 100 << 10}, 90 << 10, 20 << 10},
		"a large one, all is full":                 {budget{total: 100 << 10, large: 100 << 10}, 90 << 10, 20 << 10},
		"one that becomes large, its share full":   {budget{total: 400 << 10, large: 70 << 10}, 60 << 10, 20 << 10},
		"one that becomes large, but all are full": {budget{total: 70 << 10, large: 70 << 10}, 60 << 10, 20 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			var h hold
			if !h.take(c.first, c.budget) {
				t.Fatal("there is no room at first")
			}
			total, large, before := buffered.total.Load(), buffered.large.Load(), h
			if h.take(c.more, c.budget) {
				t.Fatal("there is room for more")
			}
			if buffered.total.Load() != total || buffered.large.Load() != large || h != before {
				t.Errorf("%d bytes of bodies, %d of large ones, %+v; before: %d, %d, %+v",
					buffered.total.Load(), buffered.large.Load(), h, total, large, before)
			}
			h.giveBack()
			if buffered.total.Load() != 0 || buffered.large.Load() != 0 {
				t.Errorf("%d and %d bytes are left", buffered.total.Load(), buffered.large.Load())
			}
		})
	}
}

// TestRefusedBodyKeepsNobodyOut: large bodies that find no room try again and
// again, beside ones that always have room.
func TestRefusedBodyKeepsNobodyOut(t *testing.T) {
	expectNothingBuffered(t)
	for name, c := range map[string]struct {
		budget               budget
		always, fits, tooBig int64
	}{
		"a small one, when all is full":         {budget{total: 200 << 10, large: 200 << 10}, 64 << 10, 32 << 10, 190 << 10},
		"a small one, beside a share too small": {budget{total: 200 << 10, large: 100 << 10}, 64 << 10, 32 << 10, 190 << 10},
		"a large one, when all is full":         {budget{total: 200 << 10, large: 198 << 10}, 64 << 10, 70 << 10, 140 << 10},
		"a large one, when their share is full": {budget{total: 400 << 10, large: 200 << 10}, 100 << 10, 70 << 10, 110 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			var always hold // leaves no room for the one that is too big
			if !always.take(c.always, c.budget) {
				t.Fatal("there is no room")
			}
			defer always.giveBack()
			over, ended := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				for {
					select {
					case <-over:
						return
					default:
					}
					var h hold
					if h.take(c.tooBig, c.budget) {
						t.Error("there is room for what is too big")
						h.giveBack()
						return
					}
					h.giveBack()
				}
			}()
			for range 200_000 {
				var h hold
				if !h.take(c.fits, c.budget) {
					t.Error("there was no room for a body that fits")
					break
				}
				h.giveBack()
			}
			close(over)
			<-ended
		})
	}
	expectNothingBuffered(t)
}

// holding is an application that answers when it is told to.
func holding() (app application, arrived chan struct{}, release func()) {
	arrived, over := make(chan struct{}, 16), make(chan struct{})
	return func(w http.ResponseWriter, _ *http.Request) error {
		arrived <- struct{}{}
		<-over
		w.WriteHeader(http.StatusNoContent)
		return nil
	}, arrived, func() { close(over) }
}

func TestOverloaded(t *testing.T) {
	expectNothingBuffered(t) // of tests before this one
	app, arrived, release := holding()
	g := newGateway(t, map[string]any{"max_buffered": 512 << 10, "max_body": 448 << 10}, app)
	first, second := strings.Repeat("a", 300<<10), strings.Repeat("b", 200<<10)
	small := strings.Repeat("c", 64<<10)
	answers := make(chan answerOf, 2)
	go func() { answers <- g.send(t, craneops(first), first) }()
	<-arrived

	a := g.send(t, craneops(second), second)
	expect(t, a, http.StatusServiceUnavailable, "rejected overloaded")
	if a.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	go func() { answers <- g.send(t, craneops(small), small) }()
	<-arrived // a small one still has a share

	release()
	for range 2 {
		expect(t, <-answers, http.StatusNoContent, "")
	}
	expect(t, g.send(t, craneops(second), second), http.StatusNoContent, "")
	g.expectDelivered(t, first, small, second)
	expectNothingBuffered(t)
}

// TestClaimsCostNothing: only bytes that have arrived count.
func TestClaimsCostNothing(t *testing.T) {
	expectNothingBuffered(t)
	g := newGateway(t, map[string]any{"max_buffered": 512 << 10, "max_body": 448 << 10, "body_timeout": "1h"}, nil)
	for range 20 {
		g.raw(t, head(craneops(body), "Content-Length: 458000\r\n"))
	}
	whole := strings.Repeat("a", 400<<10)
	expect(t, g.send(t, craneops(whole), whole), http.StatusNoContent, "")

	part := strings.Repeat("b", 300<<10)
	conn, _ := g.raw(t, head(craneops(whole), "Content-Length: 409600\r\n")+part)
	waitUntil(t, func() bool { return buffered.large.Load() == int64(len(part)) })
	expect(t, g.send(t, craneops(whole), whole), http.StatusServiceUnavailable, "rejected overloaded")
	conn.Close()
	waitUntil(t, func() bool { return buffered.large.Load() == 0 })
	other := strings.Repeat("c", 400<<10)
	expect(t, g.send(t, craneops(other), other), http.StatusNoContent, "")
	g.expectDelivered(t, whole, other)
}

// TestBufferThatIsStillSentCounts until the transport says that it is done, or
// nothing can read it any more.
func TestBufferThatIsStillSentCounts(t *testing.T) {
	expectNothingBuffered(t)
	sending := func() (b *retryableBody, written func()) {
		b = &retryableBody{}
		if err := b.intake.readAll(strings.NewReader("abcdef"), limits{declared: -1, most: 10, budget: free}, io.Discard); err != nil {
			t.Fatal(err)
		}
		b.arrived()
		begin, writing, written := announced(t.Context(), b)
		begin()
		writing()
		b.end()
		if n := bufferedBytes(); n != 6 {
			t.Errorf("%d bytes are counted while a transport may read them", n)
		}
		return b, written
	}
	b, written := sending()
	if got, err := io.ReadAll(b); err != nil || string(got) != "abcdef" {
		t.Errorf("the transport reads %q, %v", got, err)
	}
	written()
	if n := bufferedBytes(); n != 0 {
		t.Errorf("%d bytes are counted once the transport is done", n)
	}
	if got, err := io.ReadAll(b); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a late reader got %q, %v", got, err)
	}

	b, _ = sending()
	runtime.KeepAlive(b)
	waitUntil(t, func() bool { runtime.GC(); return bufferedBytes() == 0 })
	expectNothingBuffered(t)
}

// waitUntil waits for what another goroutine does.
func waitUntil(t *testing.T, over func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !over(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen in %v", patience)
		}
	}
}
