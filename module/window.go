package module

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// window is the range of send times that are fresh.
type window struct {
	judged       bool
	past, future time.Duration
}

// windowOf compiles a tolerance, which may be nil.
func windowOf(scheme *schemes.Scheme, t *Tolerance) window {
	switch {
	case scheme.Time == schemes.NoTime,
		scheme.Time == schemes.TimeInBody && t == nil,
		t != nil && t.Past == ToleranceOff:
		return window{}
	}
	w := window{judged: true, past: defaultTolerance}
	if t != nil && t.Past != 0 {
		w.past = time.Duration(t.Past)
	}
	w.future = min(w.past, defaultTolerance)
	if t != nil && t.Future != 0 {
		w.future = time.Duration(t.Future)
	}
	return w
}

// judge says why a send time is not fresh, or gives no reason.
func (w window) judge(sentAt time.Time, age time.Duration) Reason {
	switch {
	case !w.judged:
		return ""
	case sentAt.IsZero():
		return noSignedTime
	case age > w.past:
		return stale
	case -age > w.future:
		return future
	}
	return ""
}
