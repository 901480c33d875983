package engine

import (
	"fmt"
	"strings"
	"time"
)

// The reasons that a signed time can give. It is judged once the MAC is
// verified: anybody can write a fresh one, and an authentic delivery that is
// old is something that an operator must see.
const (
	// NoSignedTime means a time was to be judged, and the body has none.
	NoSignedTime Reason = "no_signed_time"
	// Stale means it is older than the window allows.
	Stale Reason = "stale"
	// Future means it is further ahead of the clock than the window allows.
	Future Reason = "future"
)

// DefaultTolerance is how far a signed send time may be from the clock, in
// either direction, where nobody says otherwise.
const DefaultTolerance = 5 * time.Minute

// Window is the range of signed times that are fresh. The zero value judges
// nothing.
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

// Judge returns nil for a signed time that is fresh at a moment, and a Refusal
// that says why for any other. The zero time is one that is not there.
func (w Window) Judge(signed, now time.Time) error {
	switch age := now.Sub(signed); {
	case !w.Judged:
		return nil
	case signed.IsZero():
		return Refuse(NoSignedTime, "authentic, but the signed body has no time that can be read")
	case age > w.Past:
		return Refuse(Stale, fmt.Sprintf("authentic, but %s old; the tolerance is %s", Short(age), Short(w.Past)))
	case age < -w.Future: // not -age, which the smallest duration does not have
		return Refuse(Future, fmt.Sprintf("authentic, but %s ahead of the clock; the tolerance is %s", Short(-age), Short(w.Future)))
	}
	return nil
}

// Short writes a duration to the millisecond, without the zeros that
// time.Duration leaves behind.
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
