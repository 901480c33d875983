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

// patience bounds every wait for what happens at once on an idle machine. It is
// long, because only a failing test waits to its end.
const patience = time.Minute
