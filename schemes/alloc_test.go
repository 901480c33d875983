//go:build !race

// The race detector makes sync.Pool drop values at random, so allocations are
// counted without it.

package schemes

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestVerifyAllocatesNothing holds the path of every delivery, authentic or
// forged, to no garbage at all.
func TestVerifyAllocatesNothing(t *testing.T) {
	body := []byte(strings.Repeat("x", 2048))
	for _, s := range All() {
		h, err := s.SignWith("c2VjcmV0", Outgoing{Body: body, At: time.Unix(1e9, 0), Event: map[string]string{"mceasy": "1"}[s.Name]})
		if err != nil {
			t.Fatal(err)
		}
		for _, secrets := range [][]string{{"c2VjcmV0"}, {"b3RoZXI=", "c2VjcmV0"}, {"b3RoZXI="}} {
			v, _ := s.NewVerifier(secrets...)
			run := func(h http.Header) {
				if d, err := v.Open(h); err == nil {
					d.Write(body)
					d.Verify(body)
					d.Close()
				}
			}
			run(h)
			if n := testing.AllocsPerRun(100, func() { run(h) }); n != 0 {
				t.Errorf("%s with %d secrets: %v allocations", s.Name, len(secrets), n)
			}
			missing := http.Header{}
			if n := testing.AllocsPerRun(100, func() { run(missing) }); n != 0 {
				t.Errorf("%s, refused: %v allocations", s.Name, n)
			}
		}
	}
}
