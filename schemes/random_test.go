package schemes

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// executions is how many random inputs the grammars are tried with in total.
// `make fuzz-long` sets it to a hundred million.
var executions = flag.Int("executions", 50_000, "how many random inputs the grammars are tried with")

// TestRandomGrammars passes randomly changed inputs to the parsers. It checks
// the properties of the fuzz targets without their search for new paths, and
// therefore tries many times as many inputs.
func TestRandomGrammars(t *testing.T) {
	values := func(scheme, header string) (all []string) {
		for _, s := range seeds(t, scheme) {
			if text := s.header().Get(header); text != "" {
				all = append(all, text)
			}
		}
		return all
	}
	bodies := []string{`{"event":"a","x":[1,-0.5e+7,{"":[]},{},"\\ud800"],"timestamp":12,"b":[true,false,null]}`}
	for _, s := range seeds(t, "*") {
		bodies = append(bodies, string(s.Body))
	}
	hexes := append(values("craneops", "X-Craneops-Signature"), values("easytools", "X-Webhook-Signature")...)
	cryptrs := values("cryptr", "Cryptr-Signature")
	mceasys := [][]string{
		values("mceasy", "X-Mceasywebhook-Signature"), values("mceasy", "X-Mceasywebhook-Timestamp"), values("mceasy", "X-Mceasywebhook-Event"), values("mceasy", "X-Mceasywebhook-Occurrence-Id"),
	}
	targets := map[string]func(t *testing.T, r *mutator) bool{
		"hex signature":    func(t *testing.T, r *mutator) bool { return checkHexSignature(t, r.text(hexes)) },
		"cryptr signature": func(t *testing.T, r *mutator) bool { return checkCryptrSignature(t, r.text(cryptrs)) },
		"mceasy headers": func(t *testing.T, r *mutator) bool {
			return checkMcEasyHeaders(t, r.text(mceasys[0]), r.text(mceasys[1]), r.text(mceasys[2]), r.text(mceasys[3]))
		},
	}
	for _, s := range All() {
		targets["delivery of "+s.Name()] = randomDelivery(t, s, bodies)
	}
	for name, target := range targets {
		t.Run(name, func(t *testing.T) { runRandomly(t, max(*executions/len(targets), 1), target) })
	}
}

// randomDelivery signs deliveries of a scheme and changes most of them. A
// delivery is accepted only if its signed text is unchanged, and always if
// nothing was changed.
func randomDelivery(t *testing.T, s Scheme, bodies []string) func(t *testing.T, r *mutator) bool {
	v, err := s.NewVerifier([]string{sampleOf(s).secrets[0]})
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, r *mutator) bool {
		body := []byte(s.BodyBegins() + bodies[r.IntN(len(bodies))])
		honest := requestOf(s, signSample(t, s, body, time.Unix(1e9+r.Int64N(1e9), 0)), body)
		d, err := v.Begin(honest)
		if err != nil {
			t.Fatalf("honest headers: %v", err)
		}
		d.Write(body)
		signed, err := d.Signed()
		if err != nil {
			t.Fatal(err)
		}
		signed = bytes.Clone(signed)
		if _, err := d.Authenticate(); err != nil {
			t.Fatalf("honest delivery: %v", err)
		}
		d.Close()

		sent, sentBody := honest, bytes.Clone(body)
		sent.Header = honest.Header.Clone()
		switch names := append([]string{s.SignatureHeader()}, s.SignedHeaders()...); r.IntN(3) {
		case 0:
			if len(sentBody) > 0 {
				sentBody[r.IntN(len(sentBody))] ^= 1 << r.IntN(8)
			}
		case 1:
			sentBody = []byte(r.change(string(sentBody)))
		default:
			if name := names[r.IntN(len(names))]; len(sent.Header[name]) > 0 {
				sent.Header[name] = []string{r.change(sent.Header[name][0])}
			}
		}
		d, err = v.Begin(sent)
		if err != nil {
			return false
		}
		defer d.Close()
		d.Write(sentBody)
		if _, err := d.Authenticate(); err != nil {
			if bytes.Equal(sentBody, body) && sameHeaders(sent.Header, honest.Header) {
				t.Fatalf("unchanged delivery: %v", err)
			}
			return false
		}
		if got, err := d.Signed(); err != nil || !bytes.Equal(got, signed) || !bytes.Equal(sentBody, body) {
			t.Fatalf("%q was signed, and %q accepted (%v)", signed, got, err)
		}
		return true
	}
}

func sameHeaders(a, b http.Header) bool {
	for name := range a {
		if !slices.Equal(a[name], b[name]) {
			return false
		}
	}
	return true
}

// runRandomly runs a target on all processors.
func runRandomly(t *testing.T, times int, target func(t *testing.T, r *mutator) bool) {
	var taken atomic.Int64
	workers := runtime.GOMAXPROCS(0)
	t.Run("", func(t *testing.T) {
		for worker := range workers {
			t.Run(fmt.Sprintf("worker %d", worker), func(t *testing.T) {
				t.Parallel()
				r := &mutator{rand.New(rand.NewPCG(uint64(worker), uint64(times)))}
				for range (times + workers - 1) / workers {
					if target(t, r) {
						taken.Add(1)
					}
				}
			})
		}
	})
	t.Logf("%d executions, %d taken", (times+workers-1)/workers*workers, taken.Load())
	if taken.Load() == 0 {
		t.Error("nothing was taken, so nothing of what is taken was tried")
	}
}

// mutator derives inputs from well-formed ones.
type mutator struct{ *rand.Rand }

// text returns one of the seeds, unchanged or changed.
func (r *mutator) text(seeds []string) string {
	seed := seeds[r.IntN(len(seeds))]
	if r.IntN(8) == 0 {
		return seed
	}
	if r.IntN(8) == 0 { // the head of one and the tail of another
		other := seeds[r.IntN(len(seeds))]
		seed = seed[:r.IntN(len(seed)+1)] + other[r.IntN(len(other)+1):]
	}
	return r.change(seed)
}

// change makes one to three small changes.
func (r *mutator) change(s string) string {
	const telling = "=,;. \t:|>+/-_0123456789abcdefABCDEFxX{}[]\"\\\x00\n\r\xff"
	for range 1 + r.IntN(3) {
		at := r.IntN(len(s) + 1)
		end := at + r.IntN(min(len(s)-at, 8)+1)
		switch r.IntN(6) {
		case 0: // another byte in its place
			if at < len(s) {
				s = s[:at] + string(telling[r.IntN(len(telling))]) + s[at+1:]
			}
		case 1:
			s = s[:at] + string(telling[r.IntN(len(telling))]) + s[at:]
		case 2:
			s = s[:at] + s[end:]
		case 3:
			s = s[:end] + s[at:] // repeated
		case 4:
			s = s[:at]
		default:
			if at < len(s) {
				b := []byte(s)
				b[at] ^= 1 << r.IntN(8)
				s = string(b)
			}
		}
	}
	return s
}
