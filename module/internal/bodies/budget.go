package bodies

import (
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
)

const (
	// smallBody is the size, in bytes, up to which a body may use the share that
	// is kept free for small ones.
	smallBody = 64 << 10

	defaultMaxBuffered = 256 << 20
)

// buffered counts the bytes of all bodies that the process holds. It is one for
// all configurations: around a reload two of them serve at once, and share the
// same memory.
var buffered struct {
	// taking is held to look at the first two and then add to both, so that a
	// body which is refused leaves no room out for others, not even for a moment.
	// Giving back only makes room and does without.
	taking sync.Mutex

	total atomic.Int64
	large atomic.Int64 // those of bodies above smallBody
	room  atomic.Int64 // what the buffers take that hold them

	spare   atomic.Int64      // what is held only while bodies leave room
	reclaim func(bytes int64) // drops so much of it
}

// Usage is what the bodies take that the process holds, in bytes.
type Usage struct {
	Bodies int64 // all of them
	Large  int64 // those above the size that has a reserved share
	Room   int64 // the buffers that hold them
}

// InUse returns what the process holds now.
func InUse() Usage {
	return Usage{Bodies: buffered.total.Load(), Large: buffered.large.Load(), Room: buffered.room.Load()}
}

// Budget is what a configuration lets the process hold, in bytes. An eighth is
// kept free for bodies up to smallBody, so that large ones cannot keep out what
// most providers send.
type Budget struct {
	total, large int64
}

// NewBudget returns a budget of so many bytes. Zero is the default: a quarter of
// the memory limit that the Go runtime knows, at most defaultMaxBuffered.
func NewBudget(total int64) Budget {
	if total == 0 {
		total = defaultMaxBuffered
		const onlyAsk = -1
		if limit := debug.SetMemoryLimit(onlyAsk); limit < math.MaxInt64 {
			total = max(min(total, limit/4), 1)
		}
	}
	return Budget{total: total, large: total - total/8}
}

// LargestBody returns the largest max_body that fits into the budget.
func (b Budget) LargestBody() int64 { return max(b.large, min(b.total, smallBody)) }

// CheckMaxBody returns an error for a max_body that no body could ever reach.
func (b Budget) CheckMaxBody(maxBody int64) error {
	most := b.LargestBody()
	if maxBody <= most {
		return nil
	}
	needed := uint64(maxBody) + uint64(maxBody)/7 + 1 // seven eighths of it are maxBody
	return fmt.Errorf("max_body: %s is more than max_buffered leaves for large bodies; write max_body %s or less, or a max_buffered of at least %s in the global option verify_webhook",
		sizeText(uint64(maxBody)), sizeText(uint64(most)), sizeText((needed+kib-1)/kib*kib))
}

const kib = 1 << 10

// sizeText writes a size as the Caddyfile reads it, without rounding.
func sizeText(n uint64) string {
	unit := 0
	for unit < 3 && n != 0 && n%kib == 0 {
		n /= kib
		unit++
	}
	return strconv.FormatUint(n, 10) + []string{"B", "KiB", "MiB", "GiB"}[unit]
}

// fits reports whether a declared length may be made room for before it has
// arrived: it may while all buffers together stay within the budget, and then a
// body is not Copy as it grows. Otherwise a buffer at most doubles what has
// arrived, so that claims cost others no more than that.
func (b Budget) fits(declared int64) bool {
	return buffered.room.Load()+declared <= b.total
}

// Spare is how much TakeSpare gives at most.
func (b Budget) Spare() int64 { return b.total / 8 }

// TakeSpare counts bytes that are held only while bodies leave room for them, an
// eighth of the budget at most. It reports whether there is room.
func (b Budget) TakeSpare(n int64) bool {
	buffered.taking.Lock()
	defer buffered.taking.Unlock()
	spare := buffered.spare.Load() + n
	if spare > b.Spare() || buffered.total.Load()+spare > b.total {
		return false
	}
	buffered.spare.Add(n)
	return true
}

// GiveBackSpare ends what TakeSpare began. It never waits.
func GiveBackSpare(n int64) { buffered.spare.Add(-n) }

// ReclaimSpare sets the function that drops so many bytes when a body needs them,
// with GiveBackSpare. It must not call TakeSpare.
func ReclaimSpare(drop func(bytes int64)) {
	buffered.taking.Lock()
	defer buffered.taking.Unlock()
	buffered.reclaim = drop
}

// quota is the part of the budget that one body has.
type quota struct {
	bytes int64
	room  int64
	large bool
}

// take adds bytes that have arrived, or reports that there is no room for them
// and adds nothing.
func (q *quota) take(n int64, b Budget) bool {
	large := q.large || q.bytes+n > smallBody
	var toLarge int64 // all of a body that becomes large
	switch {
	case q.large:
		toLarge = n
	case large:
		toLarge = q.bytes + n
	}
	buffered.taking.Lock()
	defer buffered.taking.Unlock()
	if spare := buffered.spare.Load(); spare > 0 && buffered.total.Load()+spare+n > b.total {
		buffered.reclaim(buffered.total.Load() + spare + n - b.total)
	}
	if buffered.total.Load()+n > b.total || large && buffered.large.Load()+toLarge > b.large {
		return false
	}
	buffered.total.Add(n)
	buffered.large.Add(toLarge)
	q.bytes += n
	q.large = large
	return true
}

// makeRoom counts the memory of the buffer that the body is in now.
func (q *quota) makeRoom(size int) {
	buffered.room.Add(int64(size) - q.room)
	q.room = int64(size)
}

// giveBack returns all of it.
func (q *quota) giveBack() {
	if q.large {
		buffered.large.Add(-q.bytes)
	}
	buffered.total.Add(-q.bytes)
	buffered.room.Add(-q.room)
	*q = quota{}
}
