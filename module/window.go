package module

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// windowOf compiles a tolerance, which may be nil. A time that is only in the
// body need not be the time of sending, so it is judged only if asked for.
func windowOf(scheme *schemes.Scheme, t *Tolerance) schemes.Window {
	switch {
	case scheme.Time == schemes.NoTime,
		scheme.Time == schemes.TimeInBody && t == nil,
		t != nil && t.Past == ToleranceOff:
		return schemes.Window{}
	case t == nil:
		return schemes.NewWindow(0, 0)
	}
	return schemes.NewWindow(time.Duration(t.Past), time.Duration(t.Future))
}
