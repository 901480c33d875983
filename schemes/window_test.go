package schemes

import (
	"errors"
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	now := time.Unix(1760000000, 0)
	for _, c := range []struct {
		name   string
		window Window
		age    time.Duration
		want   string
	}{
		{"zero value", Window{}, 1000 * time.Hour, ""},
		{"default, at its end", NewWindow(0, 0), 5 * time.Minute, ""},
		{"default, behind its end", NewWindow(0, 0), 5*time.Minute + 1, "stale"},
		{"default, at its beginning", NewWindow(0, 0), -5 * time.Minute, ""},
		{"default, before its beginning", NewWindow(0, 0), -5*time.Minute - 1, "future"},
		{"a short past bounds the future", NewWindow(time.Minute, 0), -61 * time.Second, "future"},
		{"a long past does not lengthen it", NewWindow(time.Hour, 0), -301 * time.Second, "future"},
		{"unless it is written", NewWindow(time.Hour, time.Hour), -301 * time.Second, ""},
	} {
		var got Reason
		if err := c.window.Judge(now.Add(-c.age), now); err != nil {
			got = Reason(reasonOf(err))
		}
		if string(got) != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if err := NewWindow(2*time.Hour, 0).Judge(now.Add(-3*time.Hour-time.Microsecond), now); err == nil || err.Error() != "stale: authentic, but 3h old; the tolerance is 2h" {
		t.Errorf("%v", err)
	}
	// Further ahead than a time.Duration can hold.
	if err := NewWindow(0, 0).Judge(time.Unix(99999999999, 0), now); !errors.Is(err, ErrFuture) {
		t.Errorf("the year 5138: %v", err)
	}
	if err := NewWindow(0, 0).Judge(time.Time{}, now); !errors.Is(err, ErrNoSignedTime) {
		t.Errorf("no time: %v", err)
	}
}
