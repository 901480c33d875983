package memory

import (
	"encoding/binary"
	"time"

	"github.com/hooklatch/hooklatch/module/replay"
)

// table holds the entries of a history: a hash table with open addressing over
// records that are linked from the newest to the oldest. It has no pointers in
// it, so the garbage collector looks at none of what may be millions of records,
// and it is a third of the size of a map with a list. It is not safe for
// concurrent use.
type table struct {
	slots     []position // by key, with linear probing; a power of two
	chunks    []*[chunkSize]record
	used      int      // records that were ever in use
	free      position // records to use again, linked by older
	newest    position
	oldest    position
	inUse     int
	delivered int // of those in use
}

// position is that of a record, counted from 1; zero is none.
type position uint32

// record is one entry. A reserved one is in no list: what is being handled is
// never evicted.
type record struct {
	key replay.Key
	// expires is when a delivered entry does, by the history's clock; zero
	// marks a reserved one.
	expires time.Duration
	// mark is the fingerprint of what was not signed for a content key, and the
	// beginning of the content key for an occurrence key.
	mark         uint64
	newer, older position
}

const (
	// chunkSize is how many records are made at once. They never move, so that
	// a history grows without being copied.
	chunkSize  = 1 << 12
	firstSlots = 1 << 10
)

func (t *table) at(p position) *record { return &t.chunks[(p-1)/chunkSize][(p-1)%chunkSize] }

// slotOf is where the search for a key begins. Keys are hashes already.
func (t *table) slotOf(key *replay.Key) int {
	return int(binary.LittleEndian.Uint64(key[:]) & uint64(len(t.slots)-1))
}

// find gives the record of a key, or nil.
func (t *table) find(key replay.Key) *record {
	if p := t.lookup(key); p != 0 {
		return t.at(p)
	}
	return nil
}

func (t *table) lookup(key replay.Key) position {
	if t.inUse == 0 {
		return 0
	}
	for i := t.slotOf(&key); t.slots[i] != 0; i = (i + 1) & (len(t.slots) - 1) {
		if p := t.slots[i]; t.at(p).key == key {
			return p
		}
	}
	return 0
}

// reserve adds a key that is not there.
func (t *table) reserve(key replay.Key) {
	if 2*(t.inUse+1) > len(t.slots) {
		t.rehash()
	}
	p := t.free
	if p != 0 {
		t.free = t.at(p).older
	} else {
		if t.used == len(t.chunks)*chunkSize {
			t.chunks = append(t.chunks, new([chunkSize]record))
		}
		t.used++
		p = position(t.used)
	}
	*t.at(p) = record{key: key}
	t.inUse++
	t.place(p)
}

// place puts a record into the first free slot from where its search begins.
func (t *table) place(p position) {
	i := t.slotOf(&t.at(p).key)
	for t.slots[i] != 0 {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = p
}

func (t *table) rehash() {
	old := t.slots
	t.slots = make([]position, max(firstSlots, 2*len(old)))
	for _, p := range old {
		if p != 0 {
			t.place(p)
		}
	}
}

// deliver makes the record of a key the newest delivered one.
func (t *table) deliver(key replay.Key, expires time.Duration, mark uint64) {
	p := t.lookup(key)
	if p == 0 {
		t.reserve(key)
		p = t.lookup(key)
	}
	r := t.at(p)
	if r.expires != 0 {
		t.unlink(p)
	}
	r.expires, r.mark = expires, mark
	t.link(p)
}

// touch makes a delivered record the newest.
func (t *table) touch(key replay.Key) {
	p := t.lookup(key)
	t.unlink(p)
	t.link(p)
}

// link makes a record the newest of the list.
func (t *table) link(p position) {
	r := t.at(p)
	r.newer, r.older = 0, t.newest
	if t.newest != 0 {
		t.at(t.newest).newer = p
	} else {
		t.oldest = p
	}
	t.newest = p
	t.delivered++
}

func (t *table) unlink(p position) {
	r := t.at(p)
	if r.newer != 0 {
		t.at(r.newer).older = r.older
	} else {
		t.newest = r.older
	}
	if r.older != 0 {
		t.at(r.older).newer = r.newer
	} else {
		t.oldest = r.newer
	}
	t.delivered--
}

// remove takes a key out, if it is there.
func (t *table) remove(key replay.Key) {
	p := t.lookup(key)
	if p == 0 {
		return
	}
	if t.at(p).expires != 0 {
		t.unlink(p)
	}
	t.vacate(p)
	t.at(p).older = t.free
	t.free = p
	t.inUse--
}

// vacate frees the slot of a record and moves up those behind it whose search
// would now end too early.
func (t *table) vacate(p position) {
	last := len(t.slots) - 1
	i := t.slotOf(&t.at(p).key)
	for t.slots[i] != p {
		i = (i + 1) & last
	}
	for j := (i + 1) & last; t.slots[j] != 0; j = (j + 1) & last {
		home := t.slotOf(&t.at(t.slots[j]).key)
		if (j-home)&last >= (j-i)&last {
			t.slots[i] = t.slots[j]
			i = j
		}
	}
	t.slots[i] = 0
}

// removeMarked takes out all delivered records with a mark.
func (t *table) removeMarked(mark uint64) {
	for p := t.newest; p != 0; {
		r := t.at(p)
		p = r.older
		if r.mark == mark {
			t.remove(r.key)
		}
	}
}
