package schemes

import (
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
		if refusal := c.window.Judge(now.Add(-c.age), now); refusal != nil {
			got = refusal.Reason
		}
		if string(got) != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if refusal := NewWindow(2*time.Hour, 0).Judge(now.Add(-3*time.Hour-time.Microsecond), now); refusal.Detail != "authentic, but 3h old; the tolerance is 2h" {
		t.Errorf("detail %q", refusal.Detail)
	}
	// Further ahead than a duration can say.
	if refusal := NewWindow(0, 0).Judge(time.Unix(99999999999, 0), now); refusal == nil || refusal.Reason != Future {
		t.Errorf("the year 5138: %v", refusal)
	}
	if refusal := NewWindow(0, 0).Judge(time.Time{}, now); refusal == nil || refusal.Reason != NoSignedTime {
		t.Errorf("no time: %v", refusal)
	}
}
