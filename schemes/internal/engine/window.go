package engine

import (
	"fmt"
	"strings"
	"time"
)

// The reasons for refusing a signed time. The time is checked after the
// signature: anyone can write a fresh time, and an operator must see an
// authentic delivery that is too old.
const (
	// NoSignedTime means the tolerance applies to a time in the body, and the
	// body has none.
	NoSignedTime Reason = "no_signed_time"
	// Stale means the signed time is older than the window allows.
	Stale Reason = "stale"
	// Future means the signed time is further ahead of the clock than the
	// window allows.
	Future Reason = "future"
)

// DefaultTolerance is how far a signed send time may be from the clock, in
// either direction, unless Tolerance sets another.
const DefaultTolerance = 5 * time.Minute

// Window is the range of signed times that are fresh. The zero value accepts
// every time.
type Window struct {
	Judged       bool
	Past, Future time.Duration
}

// NewWindow makes a window. A past of zero is DefaultTolerance; a future of
// zero is as long as the past, at most DefaultTolerance.
func NewWindow(past, future time.Duration) Window {
	if past == 0 {
		past = DefaultTolerance
	}
	if future == 0 {
		future = min(past, DefaultTolerance)
	}
	return Window{Judged: true, Past: past, Future: future}
}

// Judge returns nil if a signed time is fresh at now, and otherwise a Refusal
// that says why. The zero time stands for a missing one.
func (w Window) Judge(signed, now time.Time) error {
	switch age := now.Sub(signed); {
	case !w.Judged:
		return nil
	case signed.IsZero():
		return Refuse(NoSignedTime, "authentic, but the signed body has no time that can be read")
	case age > w.Past:
		return Refuse(Stale, fmt.Sprintf("authentic, but %s old; the tolerance is %s", Short(age), Short(w.Past)))
	case age < -w.Future: // not -age, which overflows for the smallest duration
		return Refuse(Future, fmt.Sprintf("authentic, but %s ahead of the clock; the tolerance is %s", Short(-age), Short(w.Future)))
	}
	return nil
}

// Short formats a duration to the millisecond, without the trailing zero units
// that time.Duration prints, as in 5m0s.
func Short(d time.Duration) string {
	text := d.Round(time.Millisecond).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
