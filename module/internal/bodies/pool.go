package bodies

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

// pooledBuffer holds the bytes of a body. It is passed on as a pointer, so that
// pooling it makes no garbage either.
type pooledBuffer struct{ bytes []byte }

var bufferPools [64]sync.Pool // of *pooledBuffer, by class

// classOf returns the class of the smallest buffer that holds n bytes, and its
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

// getBuffer returns an empty buffer with room for n bytes or a little more. A
// buffer larger than largestPooled has room for exactly n and is not pooled.
func getBuffer(n int) *pooledBuffer {
	if n > largestPooled {
		return &pooledBuffer{make([]byte, 0, n)}
	}
	class, size := classOf(n)
	if pooled, ok := bufferPools[class].Get().(*pooledBuffer); ok {
		return pooled
	}
	return &pooledBuffer{make([]byte, 0, size)}
}

// putBuffer returns a buffer to its pool. Nothing may read it afterwards,
// because it will hold the body of the next sender.
func putBuffer(b *pooledBuffer) {
	size := cap(b.bytes)
	if size < smallestBuffer || size > largestPooled {
		return
	}
	class, exact := classOf(size)
	if exact != size {
		return // not from a pool
	}
	b.bytes = b.bytes[:0]
	bufferPools[class].Put(b)
}
