package bodies

import (
	"errors"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// expectNothingBuffered checks that no bodies are held any more. This may
// become true only a moment after a sender has read its answer.
func expectNothingBuffered(t *testing.T) {
	t.Helper()
	waitUntil(t, func() bool {
		runtime.GC() // some buffers may be left to the garbage collector
		return InUse() == Usage{}
	})
}

func TestBudgetDefault(t *testing.T) {
	before := debug.SetMemoryLimit(math.MaxInt64)
	defer debug.SetMemoryLimit(before)
	if b := NewBudget(0); b.total != 256<<20 || b.large != 224<<20 {
		t.Errorf("without a memory limit: %+v", b)
	}
	debug.SetMemoryLimit(64 << 20)
	if b := NewBudget(0); b.total != 16<<20 || b.large != 14<<20 {
		t.Errorf("with one of 64 MiB: %+v", b)
	}
	debug.SetMemoryLimit(8 << 30)
	if b := NewBudget(0); b.total != 256<<20 {
		t.Errorf("with one of 8 GiB: %+v", b)
	}
}

func TestSharesOfTheBudget(t *testing.T) {
	b := Budget{total: 800 << 10, large: 700 << 10}
	var first, second, small quota
	for _, step := range []struct {
		name string
		of   *quota
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
	for _, h := range []*quota{&first, &second, &small} {
		h.giveBack()
	}
	expectNothingBuffered(t)
}

// TestRefusedBytesAreNotCounted checks this whichever share is full, and
// whether or not the bytes would have made the body a large one.
func TestRefusedBytesAreNotCounted(t *testing.T) {
	expectNothingBuffered(t)
	for name, c := range map[string]struct {
		budget      Budget
		first, more int64
	}{
		"a small one, all is full":                 {Budget{total: 10, large: 10}, 8, 3},
		"a large one, its share is full":           {Budget{total: 400 << 10, large: 100 << 10}, 90 << 10, 20 << 10},
		"a large one, all is full":                 {Budget{total: 100 << 10, large: 100 << 10}, 90 << 10, 20 << 10},
		"one that becomes large, its share full":   {Budget{total: 400 << 10, large: 70 << 10}, 60 << 10, 20 << 10},
		"one that becomes large, but all are full": {Budget{total: 70 << 10, large: 70 << 10}, 60 << 10, 20 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			var h quota
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

// TestRefusedBodyKeepsNobodyOut checks that large bodies that find no room and
// try again do not block others that always have room.
func TestRefusedBodyKeepsNobodyOut(t *testing.T) {
	expectNothingBuffered(t)
	for name, c := range map[string]struct {
		budget               Budget
		always, fits, tooBig int64
	}{
		"a small one, when all is full":         {Budget{total: 200 << 10, large: 200 << 10}, 64 << 10, 32 << 10, 190 << 10},
		"a small one, beside a share too small": {Budget{total: 200 << 10, large: 100 << 10}, 64 << 10, 32 << 10, 190 << 10},
		"a large one, when all is full":         {Budget{total: 200 << 10, large: 198 << 10}, 64 << 10, 70 << 10, 140 << 10},
		"a large one, when their share is full": {Budget{total: 400 << 10, large: 200 << 10}, 100 << 10, 70 << 10, 110 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			var always quota // leaves no room for the body that is too large
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
					var h quota
					if h.take(c.tooBig, c.budget) {
						t.Error("there is room for what is too big")
						h.giveBack()
						return
					}
					h.giveBack()
				}
			}()
			for range 200_000 {
				var h quota
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

// TestBufferThatIsStillSentCounts checks that the buffer counts until the
// transport reports that it is done, or until nothing can read it any more.
func TestBufferThatIsStillSentCounts(t *testing.T) {
	expectNothingBuffered(t)
	sending := func() (b *Retryable, written func()) {
		b = &Retryable{}
		if err := b.Buffer.ReadAll(strings.NewReader("abcdef"), Limits{Declared: -1, Most: 10, Budget: free}, io.Discard); err != nil {
			t.Fatal(err)
		}
		b.Arrived()
		begin, writing, written := announced(t.Context(), b)
		begin()
		writing()
		b.End()
		if n := InUse().Bodies; n != 6 {
			t.Errorf("%d bytes are counted while a transport may read them", n)
		}
		return b, written
	}
	b, written := sending()
	if got, err := io.ReadAll(b); err != nil || string(got) != "abcdef" {
		t.Errorf("the transport reads %q, %v", got, err)
	}
	written()
	if n := InUse().Bodies; n != 0 {
		t.Errorf("%d bytes are counted once the transport is done", n)
	}
	if got, err := io.ReadAll(b); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a late reader got %q, %v", got, err)
	}

	b, _ = sending()
	runtime.KeepAlive(b)
	waitUntil(t, func() bool { runtime.GC(); return InUse().Bodies == 0 })
	expectNothingBuffered(t)
}

// TestSpareGivesWay checks that spare bytes are dropped as soon as a body needs
// their room.
func TestSpareGivesWay(t *testing.T) {
	b := NewBudget(8 << 10)
	var dropped int64
	ReclaimSpare(func(n int64) {
		dropped += n
		GiveBackSpare(n)
	})
	defer ReclaimSpare(nil)
	if b.TakeSpare(1<<10 + 1) {
		t.Error("more than an eighth is spare")
	}
	if !b.TakeSpare(1 << 10) {
		t.Fatal("an eighth is not")
	}
	var q quota
	defer q.giveBack()
	if !q.take(7<<10, b) || dropped != 0 {
		t.Errorf("%d dropped, though there is room", dropped)
	}
	if !q.take(100, b) || dropped != 100 {
		t.Errorf("%d dropped, want 100", dropped)
	}
	if b.TakeSpare(1) {
		t.Error("spare bytes take the room of bodies")
	}
	if !q.take(1<<10-100, b) || dropped != 1<<10 || q.take(1, b) {
		t.Errorf("%d dropped", dropped)
	}
}
