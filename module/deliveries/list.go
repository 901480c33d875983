package deliveries

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// List remembers the last deliveries. Its room is a number of deliveries, and 1
// KiB for each on average. Those that were not accepted take at most half of
// the places, so that a flood of forgeries cannot push out the accepted ones.
type List struct {
	// room is also read without the lock, so that a list that is off costs
	// nothing.
	room atomic.Int64

	mu              sync.Mutex
	sizes           map[any]int // the room that each live configuration asks for
	last            uint64      // the number of the last delivery
	accepted, other queue
	bytes           int
	followers       map[*Follower]bool

	captures  map[Capturing]*captures
	captured  map[uint64]*Capture
	postponed uint64      // how often Postpone was called
	expiry    *time.Timer // nil while nothing is captured
	expires   time.Time   // when it fires
}

// NewList returns an empty list without room. Its numbers begin at a random
// multiple of one hundred thousand, so that a number is unlikely to mean
// another delivery after a restart.
func NewList() *List {
	const hundredThousand, choices = 100_000, 9_000
	return &List{
		sizes:     map[any]int{},
		last:      hundredThousand * (1 + rand.Uint64N(choices)), //nolint:gosec // it is no secret
		followers: map[*Follower]bool{},
		captures:  map[Capturing]*captures{},
		captured:  map[uint64]*Capture{},
	}
}

// Resize gives the list the room that a configuration asks for. While several
// configurations are live, as during a reload, the largest room counts, so that
// a configuration that then fails takes nothing away.
func (l *List) Resize(configuration any, room int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sizes[configuration] = room
	l.fit()
}

// Forget removes the request of a configuration for room. After the last one
// the list stays as it is.
func (l *List) Forget(configuration any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sizes, configuration)
	l.fit()
}

// fit sets the room. It is called with the lock held.
func (l *List) fit() {
	if len(l.sizes) == 0 {
		return
	}
	room := 0
	for _, size := range l.sizes {
		room = max(room, size)
	}
	l.room.Store(int64(room))
	l.trim()
	if room == 0 {
		l.accepted, l.other = queue{}, queue{}
	}
}

// On reports whether the list has room.
func (l *List) On() bool { return l.room.Load() > 0 }

// Add remembers a delivery, shows it to the followers and returns its number.
func (l *List) Add(d *Delivery) uint64 {
	if !l.On() {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.add(d)
}

func (l *List) add(d *Delivery) uint64 {
	l.last++
	if !l.On() {
		return l.last
	}
	e := pack(l.last, d)
	if e.verdict == Accepted {
		l.accepted.push(e)
	} else {
		l.other.push(e)
	}
	l.bytes += e.bytes()
	l.trim()
	if len(l.followers) > 0 {
		shown := e.unpack()
		shown.Captured = d.Captured
		for f := range l.followers {
			f.offer(shown)
		}
	}
	return l.last
}

// bytes returns the memory that an entry takes. Go rounds allocations up.
func (e *entry) bytes() int { return entrySize + len(e.text) + len(e.text)/8 }

// trim drops entries that have no room any more, the oldest first.
func (l *List) trim() {
	room := int(l.room.Load())
	for l.other.len() > (room+1)/2 {
		l.drop(&l.other)
	}
	const average = 1 << 10
	for l.accepted.len()+l.other.len() > room || l.bytes > room*average && l.accepted.len()+l.other.len() > 1 {
		if l.accepted.len() == 0 || l.other.len() > 0 && l.other.at(0).number < l.accepted.at(0).number {
			l.drop(&l.other)
		} else {
			l.drop(&l.accepted)
		}
	}
}

func (l *List) drop(q *queue) {
	e := q.pop()
	l.bytes -= e.bytes()
}

// EndFollowers ends all followers, because their configuration ends.
func (l *List) EndFollowers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := range l.followers {
		l.dismiss(f)
	}
}

// dismiss ends a follower. It is called with the lock held.
func (l *List) dismiss(f *Follower) {
	if l.followers[f] {
		delete(l.followers, f)
		close(f.coming)
	}
}

// Get returns one delivery.
func (l *List) Get(number uint64) (Delivery, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.find(number); e != nil {
		return l.unpack(e), true
	}
	if c := l.captured[number]; c != nil { // a capture may be kept longer than the entry
		return c.Delivery, true
	}
	return Delivery{}, false
}

// unpack returns the delivery of an entry, and sets whether it is captured.
func (l *List) unpack(e *entry) Delivery {
	d := e.unpack()
	_, d.Captured = l.captured[e.number]
	return d
}

func (l *List) find(number uint64) *entry {
	for _, q := range []*queue{&l.accepted, &l.other} {
		if e := q.find(number); e != nil {
			return e
		}
	}
	return nil
}

// Select returns the deliveries that pass a filter, the newest first.
func (l *List) Select(f Filter) []Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.selected(f)
}

func (l *List) selected(f Filter) []Delivery {
	found := []Delivery{}
	i, j := l.accepted.len()-1, l.other.len()-1
	for i >= 0 || j >= 0 {
		var e *entry
		if j < 0 || i >= 0 && l.accepted.at(i).number > l.other.at(j).number {
			e = l.accepted.at(i)
			i--
		} else {
			e = l.other.at(j)
			j--
		}
		if e.number <= f.After || f.Limit > 0 && len(found) == f.Limit {
			break
		}
		if d := l.unpack(e); f.Passes(&d) {
			found = append(found, d)
		}
	}
	return found
}

// Follow returns a follower, which receives the deliveries from now on that
// pass a filter. With backlog, it begins with those that are already in the
// list.
func (l *List) Follow(f Filter, backlog bool) *Follower {
	l.mu.Lock()
	defer l.mu.Unlock()
	follower := &Follower{list: l, filter: f, coming: make(chan Delivery, followerRoom)}
	if backlog {
		follower.Backlog = l.selected(f)
		slices.Reverse(follower.Backlog)
	}
	l.followers[follower] = true
	return follower
}

// followerRoom is how many deliveries a follower may be behind. It is enough
// for a burst; a follower that does not read is dropped.
const followerRoom = 1024

// Follower receives deliveries as they arrive.
type Follower struct {
	// Backlog holds the deliveries that were in the list, the oldest first.
	Backlog []Delivery

	list    *List
	filter  Filter
	coming  chan Delivery
	tooSlow bool
}

// Coming returns the channel of deliveries. It is closed when the follower was
// too slow or a configuration has ended.
func (f *Follower) Coming() <-chan Delivery { return f.coming }

// TooSlow reports whether the follower was dropped because it was too far behind.
func (f *Follower) TooSlow() bool {
	f.list.mu.Lock()
	defer f.list.mu.Unlock()
	return f.tooSlow
}

// End ends the follower.
func (f *Follower) End() {
	f.list.mu.Lock()
	defer f.list.mu.Unlock()
	f.list.dismiss(f)
}

// offer sends a delivery that passes the filter, without waiting. It is called
// with the list's lock held.
func (f *Follower) offer(d Delivery) {
	if !f.filter.Passes(&d) {
		return
	}
	select {
	case f.coming <- d:
	default:
		f.tooSlow = true
		f.list.dismiss(f)
	}
}

// queue is a ring of entries that grows as it fills.
type queue struct {
	ring  []entry
	first int
	count int
}

func (q *queue) len() int { return q.count }

// at returns the entry at a position, 0 being the oldest.
func (q *queue) at(i int) *entry { return &q.ring[(q.first+i)%len(q.ring)] }

func (q *queue) push(e entry) {
	if q.count == len(q.ring) {
		const least = 16
		grown := make([]entry, max(least, 2*len(q.ring)))
		for i := range q.count {
			grown[i] = *q.at(i)
		}
		q.ring, q.first = grown, 0
	}
	q.count++
	*q.at(q.count - 1) = e
}

func (q *queue) pop() entry {
	e := *q.at(0)
	*q.at(0) = entry{}
	q.first = (q.first + 1) % len(q.ring)
	q.count--
	return e
}

// find returns the entry with a number. The numbers ascend.
func (q *queue) find(number uint64) *entry {
	low, high := 0, q.count
	for low < high {
		middle := (low + high) / 2
		if q.at(middle).number < number {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < q.count && q.at(low).number == number {
		return q.at(low)
	}
	return nil
}
