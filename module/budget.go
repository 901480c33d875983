package module

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
}

// bufferedBytes is how many bytes of bodies the process holds.
func bufferedBytes() int64 { return buffered.total.Load() }

// budget is what a configuration lets the process hold, in bytes. An eighth is
// kept free for bodies up to smallBody, so that large ones cannot keep out what
// most providers send.
type budget struct {
	total, large int64
}

// newBudget makes a budget; zero is the default: a quarter of the memory limit
// that the Go runtime knows, at most defaultMaxBuffered.
func newBudget(total int64) budget {
	if total == 0 {
		total = defaultMaxBuffered
		const onlyAsk = -1
		if limit := debug.SetMemoryLimit(onlyAsk); limit < math.MaxInt64 {
			total = max(min(total, limit/4), 1)
		}
	}
	return budget{total: total, large: total - total/8}
}

// largestBody is the largest max_body that fits into the budget.
func (b budget) largestBody() int64 { return max(b.large, min(b.total, smallBody)) }

// checkMaxBody refuses a limit that no body could ever reach.
func (b budget) checkMaxBody(maxBody int64) error {
	most := b.largestBody()
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

// believes reports whether a declared length may be made room for before it has
// arrived: it may while all buffers together stay within the budget, and then a
// body is not copied as it grows. Otherwise a buffer at most doubles what has
// arrived, so that claims cost others no more than that.
func (b budget) believes(declared int64) bool {
	return buffered.room.Load()+declared <= b.total
}

// hold is the part of the budget that one body has.
type hold struct {
	bytes int64
	room  int64
	large bool
}

// take adds bytes that have arrived, or reports that there is no room for them
// and adds nothing.
func (h *hold) take(n int64, b budget) bool {
	large := h.large || h.bytes+n > smallBody
	var toLarge int64 // all of a body that becomes large
	switch {
	case h.large:
		toLarge = n
	case large:
		toLarge = h.bytes + n
	}
	buffered.taking.Lock()
	defer buffered.taking.Unlock()
	if buffered.total.Load()+n > b.total || large && buffered.large.Load()+toLarge > b.large {
		return false
	}
	buffered.total.Add(n)
	buffered.large.Add(toLarge)
	h.bytes += n
	h.large = large
	return true
}

// makeRoom counts the memory of the buffer that the body is in now.
func (h *hold) makeRoom(size int) {
	buffered.room.Add(int64(size) - h.room)
	h.room = int64(size)
}

// giveBack returns all of it.
func (h *hold) giveBack() {
	if h.large {
		buffered.large.Add(-h.bytes)
	}
	buffered.total.Add(-h.bytes)
	buffered.room.Add(-h.room)
	*h = hold{}
}
