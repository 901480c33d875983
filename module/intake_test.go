package module

import (
	"errors"
	"io"
	"strings"
	"testing"
)

var free = budget{total: 1 << 40, large: 1 << 40}

func TestReadAll(t *testing.T) {
	expectNothingBuffered(t)
	for _, size := range []int{0, 1, firstRead - 1, firstRead, firstRead + 1, 100_000, 1 << 20} {
		want := strings.Repeat("0123456789", size/10+1)[:size]
		for _, declared := range []int64{int64(size), -1} {
			var seen strings.Builder
			var in intake
			err := in.readAll(inPieces{strings.NewReader(want)}, limits{declared: declared, most: 1 << 20, budget: free}, &seen)
			got := in.bytes()
			if err != nil || string(got) != want || seen.String() != want {
				t.Errorf("%d bytes, declared %d: %v, %d read, %d seen", size, declared, err, len(got), seen.Len())
			}
			if most := max(smallestBuffer, size+size/4); declared >= 0 && cap(got) > most {
				t.Errorf("%d bytes: room for %d", size, cap(got))
			}
			if in.hold.bytes != int64(size) || in.hold.room != int64(cap(got)) {
				t.Errorf("%d bytes in %d: counted %+v", size, cap(got), in.hold)
			}
			in.giveBack()
		}
	}
	expectNothingBuffered(t)
}

func TestReadAllOfOtherThanDeclared(t *testing.T) {
	var in intake
	defer in.giveBack()
	err := in.readAll(strings.NewReader("longer than declared"), limits{declared: 3, most: 1000, budget: free}, io.Discard)
	if err != nil || string(in.bytes()) != "longer than declared" {
		t.Errorf("%q %v", in.bytes(), err)
	}
	long := strings.Repeat("x", 3*firstRead)
	var other intake
	defer other.giveBack()
	err = other.readAll(inPieces{strings.NewReader(long)}, limits{declared: firstRead, most: 1 << 20, budget: free}, io.Discard)
	if err != nil || string(other.bytes()) != long {
		t.Errorf("%d bytes, %v", len(other.bytes()), err)
	}
}

func TestReadAllRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		limits limits
		want   error
	}{
		"too large":             {limits{declared: -1, most: 2, budget: free}, errTooLarge},
		"no room":               {limits{declared: -1, most: 100, budget: budget{total: 2, large: 2}}, errOverloaded},
		"too large comes first": {limits{declared: -1, most: 2, budget: budget{total: 2, large: 2}}, errTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			var in intake
			if err := in.readAll(strings.NewReader("abc"), c.limits, io.Discard); !errors.Is(err, c.want) {
				t.Error(err)
			}
			in.giveBack()
			expectNothingBuffered(t)
		})
	}
}

// TestBufferGrowsWithWhatArrives: a claim is believed only while there is much
// room, and a buffer never takes more than twice what is in it otherwise.
func TestBufferGrowsWithWhatArrives(t *testing.T) {
	expectNothingBuffered(t)
	const claimed = 1 << 20
	for name, c := range map[string]struct {
		budget budget
		most   int64
	}{
		"much room":   {budget{total: 8 * claimed, large: 8 * claimed}, claimed},
		"little room": {budget{total: claimed, large: claimed}, 2 * 40_000 * 5 / 4},
	} {
		t.Run(name, func(t *testing.T) {
			var in intake
			defer in.giveBack()
			part := io.MultiReader(strings.NewReader(strings.Repeat("x", 40_000)), failing{})
			if err := in.readAll(part, limits{declared: claimed, most: claimed, budget: c.budget}, io.Discard); !errors.Is(err, errStore) {
				t.Fatal(err)
			}
			if in.hold.room > c.most || buffered.room.Load() != in.hold.room {
				t.Errorf("%d bytes are in %d, counted %d", in.hold.bytes, in.hold.room, buffered.room.Load())
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errStore }
