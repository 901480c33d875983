package module

import (
	"io"
	"strconv"
	"time"
)

func formatSeconds(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// readCloser hides the length of a body, so that it is sent chunked.
type readCloser struct{ io.Reader }

func (readCloser) Close() error { return nil }

// inPieces reads up to seven bytes at a time.
type inPieces struct{ r io.Reader }

func (o inPieces) Read(p []byte) (int, error) {
	if len(p) > 7 {
		p = p[:7]
	}
	return o.r.Read(p)
}

// afterTwice fires after twice the duration.
func afterTwice(d string) <-chan time.Time {
	parsed, err := time.ParseDuration(d)
	if err != nil {
		panic(err)
	}
	return time.After(2 * parsed)
}
