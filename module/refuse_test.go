package module

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/schemes"
)

// moody is a scheme written in Go that rejects every request with the error
// that a header names.
const moody = "test_moody"

// moods are these errors by name.
var moods = map[string]error{
	"own":        schemes.Refuse("unknown_sender", "the sender is not on the list"),
	"ill-formed": schemes.Refuse("Unknown sender", "no word"),
	"empty":      schemes.Refusal{},
	"the gate's": schemes.Refuse(duplicate, ""),
	"busy":       schemes.Refuse(overloaded, ""),
	"no answer":  schemes.Refuse(noAnswer, ""),
	"nil":        (*schemes.Refusal)(nil),
	"plain":      errors.New("no refusal at all"),
}

func init() {
	craneops, _ := schemes.Get("craneops")
	schemes.Register(schemes.Implementation{
		Name: moody, SignatureHeader: craneops.SignatureHeader(), Keys: craneops.Keys,
		Begin: func(r schemes.Request, c *schemes.SignedHeaders) error {
			if err, ok := moods[r.Header.Get("X-Mood")]; ok {
				return err
			}
			c.AddHex(r.Header.Get(craneops.SignatureHeader()), sha256.Size, 0)
			return nil
		},
		Read: func(*schemes.SignedHeaders, []byte) schemes.Event { return schemes.Event{} },
		Sign: func(schemes.Key, schemes.Delivery) (http.Header, error) { return nil, errors.New("unused") },
	})
}

// TestReasonsOfASchemeInGo checks that the sender gets an answer for any error
// of a scheme, and that the operator sees the error.
func TestReasonsOfASchemeInGo(t *testing.T) {
	for mood, c := range map[string]struct {
		status int
		reason string
	}{
		"own":        {http.StatusUnauthorized, "unknown_sender"},
		"ill-formed": {http.StatusUnauthorized, "signature_mismatch"},
		"empty":      {http.StatusUnauthorized, "signature_mismatch"},
		"the gate's": {http.StatusConflict, "duplicate"},
		"busy":       {http.StatusServiceUnavailable, "overloaded"},
		"no answer":  {http.StatusUnauthorized, "no_answer"},
		"nil":        {http.StatusUnauthorized, "signature_mismatch"},
		"plain":      {http.StatusUnauthorized, "signature_mismatch"},
	} {
		t.Run(mood, func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": moody}, nil)
			for range 2 {
				a := g.send(t, with(craneops(body), "X-Mood", mood), body)
				expect(t, a, c.status, "rejected "+c.reason)
				if message := a.header.Get("X-Message"); message != "verify_webhook: "+c.reason {
					t.Errorf("message %q", message)
				}
			}
			if n := g.metrics(t)[`requests_total{reason="`+c.reason+`",verdict="rejected"}`]; n != 2 {
				t.Errorf("%v are counted: %v", n, g.metrics(t))
			}
			if g.logs.FilterMessage("delivery rejected: "+c.reason).FilterField(zap.String("reason", c.reason)).Len() != 2 {
				t.Errorf("log %v", g.logs.All())
			}
			expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
			g.expectDelivered(t, body)
		})
	}
}

// TestObservedReasonOfASchemeInGo checks that the application gets the reason.
func TestObservedReasonOfASchemeInGo(t *testing.T) {
	g := newGateway(t, observing(map[string]any{"scheme": moody}), nil)
	expect(t, g.send(t, with(craneops(body), "X-Mood", "own"), body), http.StatusNoContent, "")
	g.expectObserved(t, "unknown_sender")
}

// TestOwnReasonsAreBounded checks that a scheme that builds reasons from what
// it receives does not create series without end.
func TestOwnReasonsAreBounded(t *testing.T) {
	different := map[Reason]bool{}
	for n := range 10 * maxOwnReasons {
		different[bounded(Reason(fmt.Sprint("made_up_", n)))] = true
	}
	if len(different) > maxOwnReasons+1 || !different[otherReason] {
		t.Errorf("%d different reasons", len(different))
	}
	if long := bounded(Reason(strings.Repeat("a", 65))); long != otherReason {
		t.Errorf("%q", long)
	}
	if got := bounded(schemes.SignatureMismatch); got != schemes.SignatureMismatch {
		t.Errorf("%q", got)
	}
}
