package bodies

import (
	"errors"
	"io"
	"strings"
	"testing"
)

var free = Budget{total: 1 << 40, large: 1 << 40}

func TestReadAll(t *testing.T) {
	expectNothingBuffered(t)
	for _, size := range []int{0, 1, firstRead - 1, firstRead, firstRead + 1, 100_000, 1 << 20} {
		want := strings.Repeat("0123456789", size/10+1)[:size]
		for _, declared := range []int64{int64(size), -1} {
			var seen strings.Builder
			var in Buffer
			err := in.ReadAll(inPieces{strings.NewReader(want)}, Limits{Declared: declared, Most: 1 << 20, Budget: free}, &seen)
			got := in.Bytes()
			if err != nil || string(got) != want || seen.String() != want {
				t.Errorf("%d bytes, declared %d: %v, %d read, %d seen", size, declared, err, len(got), seen.Len())
			}
			if most := max(smallestBuffer, size+size/4); declared >= 0 && cap(got) > most {
				t.Errorf("%d bytes: room for %d", size, cap(got))
			}
			if in.quota.bytes != int64(size) || in.quota.room != int64(cap(got)) {
				t.Errorf("%d bytes in %d: counted %+v", size, cap(got), in.quota)
			}
			in.GiveBack()
		}
	}
	expectNothingBuffered(t)
}

func TestReadAllOfOtherThanDeclared(t *testing.T) {
	var in Buffer
	defer in.GiveBack()
	err := in.ReadAll(strings.NewReader("longer than declared"), Limits{Declared: 3, Most: 1000, Budget: free}, io.Discard)
	if err != nil || string(in.Bytes()) != "longer than declared" {
		t.Errorf("%q %v", in.Bytes(), err)
	}
	long := strings.Repeat("x", 3*firstRead)
	var other Buffer
	defer other.GiveBack()
	err = other.ReadAll(inPieces{strings.NewReader(long)}, Limits{Declared: firstRead, Most: 1 << 20, Budget: free}, io.Discard)
	if err != nil || string(other.Bytes()) != long {
		t.Errorf("%d bytes, %v", len(other.Bytes()), err)
	}
}

func TestReadAllRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		want   error
	}{
		"too large":             {Limits{Declared: -1, Most: 2, Budget: free}, ErrTooLarge},
		"no room":               {Limits{Declared: -1, Most: 100, Budget: Budget{total: 2, large: 2}}, ErrOverloaded},
		"too large comes first": {Limits{Declared: -1, Most: 2, Budget: Budget{total: 2, large: 2}}, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			var in Buffer
			if err := in.ReadAll(strings.NewReader("abc"), c.limits, io.Discard); !errors.Is(err, c.want) {
				t.Error(err)
			}
			in.GiveBack()
			expectNothingBuffered(t)
		})
	}
}

// TestBufferGrowsWithWhatArrives checks that a declared length gets its room at
// once only while there is much room. Otherwise a buffer is at most twice as
// large as its content.
func TestBufferGrowsWithWhatArrives(t *testing.T) {
	expectNothingBuffered(t)
	const claimed = 1 << 20
	for name, c := range map[string]struct {
		budget Budget
		most   int64
	}{
		"much room":   {Budget{total: 8 * claimed, large: 8 * claimed}, claimed},
		"little room": {Budget{total: claimed, large: claimed}, 2 * 40_000 * 5 / 4},
	} {
		t.Run(name, func(t *testing.T) {
			var in Buffer
			defer in.GiveBack()
			part := io.MultiReader(strings.NewReader(strings.Repeat("x", 40_000)), failing{})
			if err := in.ReadAll(part, Limits{Declared: claimed, Most: claimed, Budget: c.budget}, io.Discard); !errors.Is(err, errBroken) {
				t.Fatal(err)
			}
			if in.quota.room > c.most || buffered.room.Load() != in.quota.room {
				t.Errorf("%d bytes are in %d, counted %d", in.quota.bytes, in.quota.room, buffered.room.Load())
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }
