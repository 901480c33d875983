package module

import (
	"strconv"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestSampler(t *testing.T) {
	var s sampler
	allowed := func(key sampleKey, n int, at time.Time) (written int) {
		for range n {
			if s.allows(key, at) {
				written++
			}
		}
		return written
	}
	flooded, quiet := sampleKey{"a", "forged"}, sampleKey{"b", "forged"}
	for _, step := range []struct {
		name string
		key  sampleKey
		n    int
		at   time.Time
		want int
	}{
		{"the first ten and one of a thousand", flooded, 3000, testTime, 12},
		{"another label has its own", quiet, 10, testTime, 10},
		{"and another message", sampleKey{"a", "stale"}, 10, testTime, 10},
		{"the same second goes on", flooded, 5, testTime.Add(999 * time.Millisecond), 0},
		{"the next second begins anew", flooded, 11, testTime.Add(time.Second), 10},
		{"so does a clock that was set back", flooded, 11, testTime.Add(-time.Hour), 10},
	} {
		if got := allowed(step.key, step.n, step.at); got != step.want {
			t.Errorf("%s: %d of %d are written, want %d", step.name, got, step.n, step.want)
		}
	}
}

// TestSamplerIsBounded: keys without end are counted together, and those that
// were there first keep their own count.
func TestSamplerIsBounded(t *testing.T) {
	var s sampler
	first := sampleKey{"first", ""}
	s.allows(first, testTime)
	written := 0
	for n := range 3 * maxSampleKeys {
		if s.allows(sampleKey{strconv.Itoa(n), ""}, testTime) {
			written++
		}
	}
	if len(s.counted) > maxSampleKeys+1 {
		t.Errorf("%d keys are counted apart", len(s.counted))
	}
	if most := maxSampleKeys + sampleFirst + 2*maxSampleKeys/sampleThereafter + 1; written > most {
		t.Errorf("%d entries are written, want at most %d", written, most)
	}
	if !s.allows(first, testTime) {
		t.Error("a key that was there first has no count of its own")
	}
}

// TestHandlersShareTheSampler, and a label's flood keeps no other one quiet.
func TestHandlersShareTheSampler(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	logger := zap.New(core, zap.WithClock(stopped{}))
	one, same := sampled(logger, "sampler-1"), sampled(logger, "sampler-1").With(zap.Int("n", 1))
	other := sampled(logger, "sampler-2")
	for range 20 {
		one.Info("message")
		same.Info("message")
		other.Debug("message") // not enabled, so it is not counted
	}
	if logs.Len() != sampleFirst {
		t.Errorf("%d entries of one label are written, want %d", logs.Len(), sampleFirst)
	}
	other.Info("message")
	if logs.Len() != sampleFirst+1 {
		t.Error("the entry of the other label is not written")
	}
}

// stopped is a clock that stands still.
type stopped struct{ zapcore.Clock }

func (stopped) Now() time.Time { return testTime }
