package memory

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/replay"
)

// model is what a table does, in the plainest way.
type model struct {
	reserved map[replay.Key]bool
	list     []replay.Key // delivered, the newest first
	entries  map[replay.Key]record
}

func (m *model) take(key replay.Key) {
	delete(m.reserved, key)
	delete(m.entries, key)
	m.list = slices.DeleteFunc(m.list, func(k replay.Key) bool { return k == key })
}

// TestTable does the same at random with a table and with a model of it. The
// keys are few and collide, so that records move up when others go.
func TestTable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	keys := randomKeys(1000)
	for i := range keys {
		keys[i][0], keys[i][1] = keys[i][0]&63, 0 // begin in 64 of the first slots
	}
	var subject table
	m := model{reserved: map[replay.Key]bool{}, entries: map[replay.Key]record{}}
	for step := range 30_000 {
		key := keys[random.IntN(len(keys))]
		_, delivered := m.entries[key]
		known := m.reserved[key] || delivered
		switch action := random.IntN(20); {
		case action < 9 && !known:
			subject.reserve(key)
			m.reserved[key] = true
		case action < 14:
			expires, mark := time.Duration(1+random.IntN(100)), uint64(random.IntN(500))
			subject.deliver(key, expires, mark)
			m.take(key)
			m.entries[key] = record{expires: expires, mark: mark}
			m.list = slices.Insert(m.list, 0, key)
		case action < 16 && delivered:
			subject.touch(key)
			m.list = slices.Insert(slices.DeleteFunc(m.list, func(k replay.Key) bool { return k == key }), 0, key)
		case action < 19:
			subject.remove(key)
			m.take(key)
		default:
			mark := uint64(random.IntN(500))
			subject.removeMarked(mark)
			for _, marked := range slices.Clone(m.list) {
				if m.entries[marked].mark == mark {
					m.take(marked)
				}
			}
		}
		if step%500 == 0 || step < 100 {
			expectSame(t, &subject, &m, keys)
		}
	}
	if subject.inUse < 300 {
		t.Errorf("only %d entries at the end", subject.inUse)
	}
}

func expectSame(t *testing.T, subject *table, m *model, keys []replay.Key) {
	t.Helper()
	if subject.delivered != len(m.list) || subject.inUse != len(m.list)+len(m.reserved) {
		t.Fatalf("%d delivered, %d in use; want %d, %d reserved", subject.delivered, subject.inUse, len(m.list), len(m.reserved))
	}
	for _, key := range keys {
		got := subject.find(key)
		want, delivered := m.entries[key]
		switch {
		case got == nil:
			if delivered || m.reserved[key] {
				t.Fatalf("%x is missing", key)
			}
		case got.key != key || got.expires != want.expires || got.mark != want.mark || !delivered && !m.reserved[key]:
			t.Fatalf("%x: %+v, want %+v", key, got, want)
		}
	}
	var forward, backward []replay.Key
	for p := subject.newest; p != 0; p = subject.at(p).older {
		forward = append(forward, subject.at(p).key)
	}
	for p := subject.oldest; p != 0; p = subject.at(p).newer {
		backward = append(backward, subject.at(p).key)
	}
	slices.Reverse(backward)
	if !slices.Equal(forward, m.list) || !slices.Equal(backward, m.list) {
		t.Fatalf("the order is another: %d, %d, want %d", len(forward), len(backward), len(m.list))
	}
}
