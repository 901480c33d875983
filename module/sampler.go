package module

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logSampler is one for the process. The sampler of zap has a table of half a
// megabyte, and every handler would have one.
var logSampler sampler

// sampler lets the first entries of each label and message in a second through,
// and then one of many, so that a flood of forgeries cannot fill a disk.
type sampler struct {
	mu      sync.Mutex
	began   time.Time // of the second that is counted
	counted map[sampleKey]int
}

// sampleKey is what entries are counted by. Both are from the configuration and
// from fixed lists, and maxSampleKeys bounds them all the same.
type sampleKey struct{ label, message string }

const (
	sampleFirst      = 10
	sampleThereafter = 1000

	// maxSampleKeys is how many keys are counted apart in one second. Further
	// ones are counted together.
	maxSampleKeys = 4096
)

// allows counts an entry and reports whether it is written.
func (s *sampler) allows(key sampleKey, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := at.Sub(s.began); s.counted == nil || age < 0 || age >= time.Second {
		s.began = at
		if s.counted == nil {
			s.counted = map[sampleKey]int{}
		}
		clear(s.counted)
	}
	if _, known := s.counted[key]; !known && len(s.counted) >= maxSampleKeys {
		key = sampleKey{}
	}
	s.counted[key]++
	n := s.counted[key]
	return n <= sampleFirst || (n-sampleFirst)%sampleThereafter == 0
}

// sampled returns a logger for the handlers of a label that the process's
// sampler restrains.
func sampled(logger *zap.Logger, label string) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return sampledCore{core, &logSampler, label}
	}))
}

// sampledCore asks the sampler before an entry is written.
type sampledCore struct {
	zapcore.Core
	sampler *sampler
	label   string
}

// With returns a core with fields that the same sampler restrains.
func (c sampledCore) With(fields []zapcore.Field) zapcore.Core {
	c.Core = c.Core.With(fields)
	return c
}

// Check adds the core to what is written, if the entry is.
func (c sampledCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(entry.Level) || !c.sampler.allows(sampleKey{c.label, entry.Message}, entry.Time) {
		return checked
	}
	return c.Core.Check(entry, checked)
}
