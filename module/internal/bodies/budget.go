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
	// smallBody is the largest body, in bytes, that may use the share reserved for
	// small ones.
	smallBody = 64 << 10

	defaultMaxBuffered = 256 << 20
)

// buffered counts the bytes of all bodies that the process holds. All
// configurations share it: during a reload two of them serve at once, in the
// same memory.
var buffered struct {
	// taking is held while total and large are checked and increased, so that a
	// refused body never takes room from others, not even for a moment. Giving
	// back only makes room and needs no lock.
	taking sync.Mutex

	total atomic.Int64
	large atomic.Int64 // of bodies above smallBody
	room  atomic.Int64 // the size of the buffers that hold them

	spare   atomic.Int64      // bytes held only while bodies leave room
	reclaim func(bytes int64) // drops that much of spare
}

// Usage is how much memory bodies take in this process, in bytes.
type Usage struct {
	Bodies int64 // all of them
	Large  int64 // those too large for the reserved share
	Room   int64 // the buffers that hold them
}

// InUse returns the current usage.
func InUse() Usage {
	return Usage{Bodies: buffered.total.Load(), Large: buffered.large.Load(), Room: buffered.room.Load()}
}

// Budget is how many bytes of bodies a configuration lets the process hold. An
// eighth is reserved for bodies up to smallBody, so that large ones cannot
// crowd out the deliveries of most providers.
type Budget struct {
	total, large int64
}

// NewBudget returns a budget of total bytes. Zero selects the default: a
// quarter of the memory limit that the Go runtime knows, at most
// defaultMaxBuffered.
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

// fits reports whether room for a declared length may be allocated before the
// body has arrived. It may while all buffers together stay within the budget;
// the body is then not copied as it grows. Otherwise a buffer is at most twice
// as large as what has arrived, so that false claims cost others no more than
// that.
func (b Budget) fits(declared int64) bool {
	return buffered.room.Load()+declared <= b.total
}

// Spare returns the largest number of bytes that TakeSpare grants in total.
func (b Budget) Spare() int64 { return b.total / 8 }

// TakeSpare takes n bytes for something that is held only while bodies leave
// room for it, at most an eighth of the budget in total. It reports whether
// there is room. If there is none, it takes nothing.
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

// GiveBackSpare gives back n bytes that TakeSpare took. It never blocks.
func GiveBackSpare(n int64) { buffered.spare.Add(-n) }

// ReclaimSpare sets the function that is called when a body needs spare bytes.
// The function drops that many and gives them back with GiveBackSpare. It must
// not call TakeSpare.
func ReclaimSpare(drop func(bytes int64)) {
	buffered.taking.Lock()
	defer buffered.taking.Unlock()
	buffered.reclaim = drop
}

// quota is the part of the budget that one body uses.
type quota struct {
	bytes int64
	room  int64
	large bool
}

// take adds n bytes that have arrived, and reports whether there was room for
// them. If there was none, it adds nothing.
func (q *quota) take(n int64, b Budget) bool {
	large := q.large || q.bytes+n > smallBody
	var toLarge int64 // all bytes of a body that becomes large
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

// giveBack returns the whole quota to the budget.
func (q *quota) giveBack() {
	if q.large {
		buffered.large.Add(-q.bytes)
	}
	buffered.total.Add(-q.bytes)
	buffered.room.Add(-q.room)
	*q = quota{}
}
