package deliveries

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// memory is a Memory with a fixed number of bytes.
type memory struct {
	most int64
	left atomic.Int64
}

func newMemory(bytes int64) *memory {
	m := &memory{most: bytes}
	m.left.Store(bytes)
	return m
}

func (m *memory) Most() int64 { return m.most }

func (m *memory) Take(bytes int64) bool {
	if m.left.Add(-bytes) < 0 {
		m.left.Add(bytes)
		return false
	}
	return true
}

func (m *memory) GiveBack(bytes int64) { m.left.Add(bytes) }

var forever = Capturing{Provider: "p", Keep: 4, For: time.Hour}

func (l *List) capture(s Capturing, verdict, client, tenant string) uint64 {
	return l.AddCaptured(s, &Capture{
		Delivery: Delivery{Provider: s.Provider, Verdict: verdict, Client: client, Tenant: tenant},
		Body:     make([]byte, 1000), Headers: map[string][]string{"A": {"b"}},
	})
}

func (l *List) kept(numbers ...uint64) (kept []bool) {
	for _, n := range numbers {
		d, _ := l.Get(n)
		_, ok := l.Captured(n)
		if d.Captured != ok {
			panic("the list says otherwise")
		}
		kept = append(kept, ok)
	}
	return kept
}

func expectKept(t *testing.T, got []bool, want ...bool) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("kept %v, want %v", got, want)
	}
}

// TestRings checks that rejected deliveries do not push out others.
func TestRings(t *testing.T) {
	l := newList(100)
	defer l.Capture(forever, newMemory(1<<20))()
	first := l.capture(forever, Accepted, "192.0.2.1", "")
	for range 10 {
		l.capture(forever, "rejected", "192.0.2.1", "")
	}
	expectKept(t, l.kept(first, first+1, first+6, first+7, first+10), true, false, false, true, true)
}

// TestFairRing checks that a client that floods the ring drops its own
// captures.
func TestFairRing(t *testing.T) {
	for _, c := range []struct{ flood, other string }{
		{"192.0.2.1", "192.0.2.2"},
		{"2001:db8::%d", "2001:db8:0:1::1"},
	} {
		l := newList(100)
		end := l.Capture(forever, newMemory(1<<20))
		first := l.capture(forever, "rejected", c.other, "")
		for i := range 20 {
			client := c.flood
			if client[0] == '2' {
				client = fmt.Sprintf(c.flood, i)
			}
			l.capture(forever, "rejected", client, "")
		}
		expectKept(t, l.kept(first, first+17, first+18, first+20), true, false, true, true)
		end()
	}
	// The tenant with the most captures is chosen before the client.
	l := newList(100)
	defer l.Capture(forever, newMemory(1<<20))()
	first := l.capture(forever, Accepted, "192.0.2.1", "a")
	l.capture(forever, Accepted, "192.0.2.1", "a")
	for i := range 3 {
		l.capture(forever, Accepted, fmt.Sprint("192.0.2.", 2+i), "b")
	}
	expectKept(t, l.kept(first, first+1, first+2, first+3, first+4), true, true, false, true, true)
}

func TestMemoryOfCaptures(t *testing.T) {
	l := newList(100)
	m := newMemory(7000) // three captures
	end := l.Capture(forever, m)
	first := l.capture(forever, Accepted, "192.0.2.1", "")
	for range 3 {
		l.capture(forever, "rejected", "192.0.2.1", "")
	}
	expectKept(t, l.kept(first, first+1, first+2, first+3), true, false, true, true)
	l.AddCaptured(forever, &Capture{Delivery: Delivery{Verdict: Accepted}, Body: make([]byte, 8000)})
	expectKept(t, l.kept(first, first+3, first+4), true, true, false)
	if !l.Reclaim(1<<40) || l.Reclaim(1) || m.left.Load() != m.most {
		t.Error("not all was given back")
	}
	l.capture(forever, Accepted, "192.0.2.1", "")
	end()
	if m.left.Load() != m.most {
		t.Error("the end of the configuration gives nothing back")
	}
	if n := l.capture(forever, Accepted, "192.0.2.1", ""); l.kept(n)[0] {
		t.Error("captured after the end")
	}
}

// TestCapturesAndReloads checks that captures stay if the settings stay the
// same.
func TestCapturesAndReloads(t *testing.T) {
	l := newList(100)
	m := newMemory(1 << 20)
	endFirst := l.Capture(forever, m)
	n := l.capture(forever, Accepted, "192.0.2.1", "")
	endSecond := l.Capture(forever, m)
	endFirst()
	expectKept(t, l.kept(n), true)
	other := forever
	other.Keep++
	defer l.Capture(other, m)()
	endSecond()
	expectKept(t, l.kept(n), false)
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newList(100)
		m := newMemory(1 << 20)
		long, short := forever, forever
		short.For = time.Minute
		defer l.Capture(long, m)()
		defer l.Capture(short, m)()
		first := l.capture(long, Accepted, "192.0.2.1", "")
		l.capture(short, Accepted, "192.0.2.1", "")
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		expectKept(t, l.kept(first, first+1), true, false)
		time.Sleep(time.Hour)
		synctest.Wait()
		expectKept(t, l.kept(first), false)
		if m.left.Load() != m.most {
			t.Error("what expired is not given back")
		}
	})
}

func TestErase(t *testing.T) {
	l := newList(0)
	defer l.Capture(forever, newMemory(1<<20))()
	first := l.capture(forever, Accepted, "192.0.2.1", "")
	l.capture(forever, "rejected", "192.0.2.1", "")
	if !l.Erase(first) || l.Erase(first) {
		t.Error("erased not once")
	}
	l.EraseAll("q")
	expectKept(t, l.kept(first+1), true)
	l.EraseAll("p")
	expectKept(t, l.kept(first+1), false)
}

// TestRejected checks that rejected deliveries are listed the oldest first,
// until they are settled.
func TestRejected(t *testing.T) {
	l := newList(100)
	defer l.Capture(forever, newMemory(1<<20))()
	first := l.capture(forever, "rejected", "192.0.2.1", "a")
	l.capture(forever, Accepted, "192.0.2.1", "a")
	l.AddCaptured(forever, &Capture{Delivery: Delivery{Provider: "p", Verdict: "rejected", Observed: true}})
	third := l.capture(forever, "rejected", "192.0.2.2", "b")
	numbers := func(provider, tenant string) (all []uint64) {
		for _, c := range l.Rejected(provider, tenant) {
			all = append(all, c.Number)
		}
		return all
	}
	if all := numbers("p", ""); !slices.Equal(all, []uint64{first, third}) {
		t.Errorf("all: %v", all)
	}
	if some := numbers("p", "b"); !slices.Equal(some, []uint64{third}) {
		t.Errorf("of a tenant: %v", some)
	}
	if none := numbers("q", ""); none != nil {
		t.Errorf("of another label: %v", none)
	}
	l.Settle(first)
	l.Settle(1)
	if left := numbers("p", ""); !slices.Equal(left, []uint64{third}) {
		t.Errorf("once one is settled: %v", left)
	}
	if _, ok := l.Captured(first); !ok {
		t.Error("what is settled is gone")
	}
}

// TestHeadersText checks that webhook verify can read the text, and that no
// value adds a line.
func TestHeadersText(t *testing.T) {
	c := Capture{Headers: map[string][]string{"Host": {"a.example"}, "B": {"1", "2\r\nC: 3"}}}
	const lines = "B: 1\nB: 2  C: 3\nHost: a.example\n"
	if got := c.HeadersText(); got != lines {
		t.Errorf("%q", got)
	}
	c.URL, c.Method = "https://a.example/x", "PUT"
	if got, want := c.HeadersText(), "Request URL: https://a.example/x\nRequest method: PUT\n"+lines; got != want {
		t.Errorf("%q", got)
	}
}

// TestPostponed checks that postponed deliveries come last, in the order in
// which they were postponed.
func TestPostponed(t *testing.T) {
	l := newList(100)
	defer l.Capture(forever, newMemory(1<<20))()
	first := l.capture(forever, "rejected", "192.0.2.1", "")
	l.capture(forever, "rejected", "192.0.2.1", "")
	third := l.capture(forever, "rejected", "192.0.2.1", "")
	l.Postpone(third)
	l.Postpone(first)
	l.Postpone(third + 1) // there is none
	var order []uint64
	for _, c := range l.Rejected("p", "") {
		order = append(order, c.Number-first)
	}
	if !slices.Equal(order, []uint64{1, 2, 0}) {
		t.Errorf("order %v", order)
	}
}
