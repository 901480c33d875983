package module

import (
	"math/bits"
	"sync"
)

// Buffers for bodies are reused by size, so that deliveries make no garbage.
// Between two powers of two there are four sizes, which wastes a fifth at
// most.
const (
	smallestBuffer = 4 << 10
	largestPooled  = 16 << 20
)

var bufferPools [64]sync.Pool // of *[]byte, by class

// classOf gives the class of the smallest buffer that holds n bytes, and its
// size in bytes.
func classOf(n int) (class, size int) {
	if n <= smallestBuffer {
		return 0, smallestBuffer
	}
	octave := bits.Len(uint(n - 1)) // n is above 1<<(octave-1), up to 1<<octave
	step := 1 << (octave - 1) / 4
	above := n - 1<<(octave-1)
	quarter := (above + step - 1) / step // 1 to 4
	const smallestOctave = 13            // the one above smallestBuffer
	return (octave-smallestOctave)*4 + quarter, 1<<(octave-1) + quarter*step
}

// getBuffer gives an empty buffer with room for n bytes or a little more. What
// is larger than the largest pooled one is made to measure.
func getBuffer(n int) []byte {
	if n > largestPooled {
		return make([]byte, 0, n)
	}
	class, size := classOf(n)
	if pooled, ok := bufferPools[class].Get().(*[]byte); ok {
		return (*pooled)[:0]
	}
	return make([]byte, 0, size)
}

// putBuffer takes a buffer back. Nothing may read it any more: the next sender's
// body will be in it.
func putBuffer(b []byte) {
	if cap(b) < smallestBuffer || cap(b) > largestPooled {
		return
	}
	class, size := classOf(cap(b))
	if size != cap(b) {
		return // made to measure
	}
	b = b[:0]
	bufferPools[class].Put(&b)
}
