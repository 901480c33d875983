package module

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxDrain is how much of a refused body is read and dropped, in bytes.
const maxDrain = 32 << 20

// drain reads what is left of a refused body, within bounds, before the answer
// is written. A sender that is still writing when its connection is closed may
// never see the answer, and some providers take no answer for a reason never
// to send an event again. Asked says that some of the body has been read, so that
// a sender which waits to be asked for it waits no more.
func (h *Handler) drain(w http.ResponseWriter, r *http.Request, asked bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	rc := http.NewResponseController(w)
	if !asked && waitsForContinue(r) {
		// The sender waits before it writes; reading would tell it to go on.
		// A read that has already timed out keeps the server from reading too.
		closeConnection(w, r)
		_ = rc.SetReadDeadline(time.Unix(1, 0))
		return
	}
	_ = rc.SetReadDeadline(time.Now().Add(time.Duration(h.BodyTimeout)))
	if err := dropRest(r); err != nil {
		// An expired deadline stays until the answer is written. What is still
		// to come of this body must not be taken for the next request.
		closeConnection(w, r)
		return
	}
	_ = rc.SetReadDeadline(time.Time{})
}

// errTooMuch is a body whose rest is not worth reading.
var errTooMuch = errors.New("more than is drained")

// dropRest reads to the end of a body, or says why it could not.
func dropRest(r *http.Request) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxDrain))
	if err == nil && n == maxDrain {
		err = errTooMuch
	}
	return err
}

func waitsForContinue(r *http.Request) bool {
	return r.ProtoAtLeast(1, 1) && strings.EqualFold(r.Header.Get("Expect"), "100-continue")
}

// closeConnection ends an HTTP/1 connection with the answer: what follows on it
// may be the rest of a body.
func closeConnection(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header()["Connection"] = []string{"close"}
	}
}
