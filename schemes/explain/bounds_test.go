package explain

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestHostileHeaders: no header of a sender makes the search endless.
func TestHostileHeaders(t *testing.T) {
	header := http.Header{}
	for i := range 100 {
		header[fmt.Sprintf("X-Sum-%d", i)] = []string{hex.EncodeToString(make([]byte, 32))}
		header[fmt.Sprintf("X-Time-%d", i)] = []string{fmt.Sprint(1760000000 + i)}
		header[fmt.Sprintf("X-Id-%d", i)] = []string{fmt.Sprint("id_", i)}
	}
	own, err := schemes.Definition{Signature: schemes.SignatureForm{Header: "X-Own"}}.Compile("own")
	if err != nil {
		t.Fatal(err)
	}
	d := &Delivery{
		Definition: &schemes.Definition{Signature: schemes.SignatureForm{Header: "X-Own"}, Signed: "{id}.{url}.{method}.{timestamp}.{body}"},
		Scheme:     own,
		Request:    schemes.Request{Header: header},
		Body:       make([]byte, maxPaired),
	}
	for what, n := range map[string]int{"forms": len(d.forms()), "times": len(d.times()), "ids": len(d.ids())} {
		if n != 1+maxPlaces {
			t.Errorf("%d %s, want %d and the definition's own", n, what, maxPlaces)
		}
	}
	// Five parts are too many to be put in other orders, unless time and id are
	// left out.
	const orders, fronts = 6 + 24 + 24, 3
	if n := len(d.templates()); n < 100 || n > 1+orders*fronts*len(separators) {
		t.Errorf("%d templates", n)
	}
	d.Body = make([]byte, maxPaired+1)
	if n := len(d.templates()); n != 1 {
		t.Errorf("%d templates for a large body", n)
	}
}

// TestDeepBody: a body that would become huge is not indented.
func TestDeepBody(t *testing.T) {
	const depth = 500
	body := strings.Repeat("[", depth) + strings.Repeat("0,", 2000) + "0" + strings.Repeat("]", depth)
	tried := 0
	for b := range bodies([]byte(body)) {
		tried++
		if len(b.body) > maxGrowth*len(body)+64<<10 {
			t.Fatalf("%d bytes for %d: %s", len(b.body), len(body), b.finding.What)
		}
	}
	if tried == 0 {
		t.Error("nothing is tried")
	}
}
