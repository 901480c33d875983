package webhook

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/tokens"
	"github.com/hooklatch/hooklatch/schemes"
)

// Reasons that the schemes leave to whoever has a clock.
const (
	noSignedTime schemes.Reason = "no_signed_time"
	stale        schemes.Reason = "stale"
	future       schemes.Reason = "future"
)

const defaultTolerance = 5 * time.Minute

// window is the range of signed times that are fresh.
type window struct {
	judged       bool
	past, future time.Duration
}

// windowOf reads --tolerance, with the defaults of the handler.
func windowOf(scheme *schemes.Scheme, o *option) (window, error) {
	past := defaultTolerance
	switch {
	case o.text == "":
		if scheme.Time != schemes.TimeInHeaders {
			return window{}, nil
		}
	case scheme.Time == schemes.NoTime:
		return window{}, fmt.Errorf("--tolerance: %s has no signed time to judge; leave --tolerance out", scheme.Name)
	case o.text == "off":
		return window{}, nil
	default:
		var err error
		if past, err = caddy.ParseDuration(o.text); err != nil || past <= 0 {
			return window{}, errors.New("--tolerance is not a duration above zero; write one such as 5m or 1d, or off")
		}
	}
	return window{judged: true, past: past, future: min(past, defaultTolerance)}, nil
}

// judge says why a signed time is not fresh, or nothing.
func (w window) judge(signed, now time.Time) *schemes.Refusal {
	age := now.Sub(signed)
	switch {
	case !w.judged:
		return nil
	case signed.IsZero():
		return &schemes.Refusal{Reason: noSignedTime, Detail: "the signed body has no time that can be read"}
	case age > w.past:
		return &schemes.Refusal{Reason: stale, Detail: fmt.Sprintf("authentic, but %s old; the tolerance is %s", short(age), short(w.past))}
	case -age > w.future:
		return &schemes.Refusal{Reason: future, Detail: fmt.Sprintf("authentic, but %s ahead of the clock; the tolerance is %s", short(-age), short(w.future))}
	}
	return nil
}

func short(d time.Duration) string { return tokens.Short(d.Round(time.Millisecond)) }
