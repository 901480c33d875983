package bodies

import "testing"

func TestClasses(t *testing.T) {
	last := 0
	for n := 1; n <= largestPooled; n += 1 + n/97 {
		class, size := classOf(n)
		if size < n || class < last || class >= len(bufferPools) {
			t.Fatalf("%d bytes: class %d of %d bytes", n, class, size)
		}
		if n > smallestBuffer && size > n+n/4 {
			t.Fatalf("%d bytes waste %d", n, size-n)
		}
		// A buffer returns to the class that it was taken from.
		if again, same := classOf(size); again != class || same != size {
			t.Fatalf("%d bytes: class %d of %d bytes, back in class %d of %d", n, class, size, again, same)
		}
		last = class
	}
	for _, exact := range []int{4 << 10, 64 << 10, 1 << 20, 5 << 20} {
		if _, size := classOf(exact); size != exact {
			t.Errorf("%d bytes in a buffer of %d", exact, size)
		}
	}
}

func TestBuffersAreReused(t *testing.T) {
	for _, n := range []int{0, 1, 5000, 1 << 20, largestPooled, largestPooled + 1} {
		b := getBuffer(n)
		if len(b.bytes) != 0 || cap(b.bytes) < n {
			t.Errorf("%d bytes: length %d, room for %d", n, len(b.bytes), cap(b.bytes))
		}
		putBuffer(b)
	}
	putBuffer(&pooledBuffer{})
	putBuffer(&pooledBuffer{make([]byte, 0, 5001)}) // no class has this size
	if b := getBuffer(5001); cap(b.bytes) == 5001 {
		t.Error("a buffer of no class was pooled")
	}
}
