package engine

import (
	"errors"
	"time"
)

// Option configures a Verifier.
type Option func(*Verifier) error

// Tolerance sets how far the signed time may be from the clock. A past of zero
// is DefaultTolerance; a future of zero is as long as the past, at most
// DefaultTolerance. A time that only the body holds need not be the send time,
// so it is checked only with this option.
func Tolerance(past, future time.Duration) Option {
	return func(v *Verifier) error {
		switch {
		case v.scheme.Time == NoTime:
			return errors.New("tolerance: " + v.scheme.Name + " has no signed time to judge; leave the option out, and remember what has been delivered")
		case past < 0 || future < 0:
			return errors.New("tolerance: a duration is below zero; write IgnoreTime if the time is not to be judged")
		}
		v.window = NewWindow(past, future)
		return nil
	}
}

// IgnoreTime turns off the check of the signed time. A captured delivery then
// verifies forever, unless the program remembers what has been delivered.
func IgnoreTime() Option {
	return func(v *Verifier) error {
		v.window = Window{}
		return nil
	}
}

// Clock sets the clock that signed times are checked against. Default:
// time.Now.
func Clock(now func() time.Time) Option {
	return func(v *Verifier) error {
		if now == nil {
			return errors.New("clock: it is nil")
		}
		v.now = now
		return nil
	}
}

// WithPublicURL sets the URL at which senders reach the program, such as
// https://hooks.example.com. It is for schemes that sign the URL, when a proxy
// before the program changes scheme, host or path. See ParsePublicURL.
func WithPublicURL(text string) Option {
	return func(v *Verifier) (err error) {
		if !v.scheme.SignsRequest {
			return errors.New("public URL: " + v.scheme.Name + " does not sign the URL, so nothing depends on it; leave the option out")
		}
		v.public, err = ParsePublicURL(text)
		return err
	}
}
