package module

import (
	"encoding/base64"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// executions is how many random deliveries are sent through the handler. `make
// fuzz-long` uses ten million.
var executions = flag.Int("executions", executionsByDefault(), "how many random deliveries go through the handler")

func executionsByDefault() int {
	if os.Getenv("THOROUGH") != "" {
		return 20_000
	}
	return 5_000
}

// TestRandomDeliveries sends deliveries in any order that are new, repeated,
// signed again, with other unsigned values, too old or with one bit changed, to
// an application that does not always take them. It compares the outcome of
// each with a model of the rules.
func TestRandomDeliveries(t *testing.T) {
	for _, scheme := range []string{"craneops", "mceasy"} {
		t.Run(scheme, func(t *testing.T) {
			workers := runtime.GOMAXPROCS(0)
			each := *executions / 2 / workers
			var forwarded atomic.Int64
			t.Run("", func(t *testing.T) {
				for worker := range workers {
					// One after the other, because Caddy sets a global when it provisions.
					w := newWorld(t, scheme, uint64(worker))
					t.Run(fmt.Sprintf("worker %d", worker), func(t *testing.T) {
						t.Parallel()
						for range each {
							w.send(t)
						}
						forwarded.Add(int64(w.forwarded))
					})
				}
			})
			t.Logf("%d deliveries, %d forwarded", each*workers, forwarded.Load())
		})
	}
}

// world is a handler with a model of what it must remember.
type world struct {
	*rand.Rand
	scheme      string
	handler     *Handler
	status      int    // of the application's next answer
	got         string // the body that it received last
	forwarded   int
	n           int
	recent      []randomDelivery
	delivered   map[string]string // by content, the unsigned values
	occurrences map[string]string // by occurrence ID, the content delivered under it
}

type randomDelivery struct{ body, event, unsigned string }

const (
	// lookBack is how many deliveries the world looks back.
	lookBack = 500
	// anew is the number of deliveries after which the model starts again, because
	// it would grow without end.
	anew = 50_000
)

func newWorld(t *testing.T, scheme string, seed uint64) *world {
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	h := &Handler{Scheme: scheme, Secrets: []string{testSecret}, Provider: fmt.Sprintf("random-%s-%d", scheme, seed)}
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	h.logger = zap.NewNop()
	h.now = func() time.Time { return testTime }
	return &world{
		Rand: rand.New(rand.NewPCG(seed, 1)), scheme: scheme, handler: h,
		delivered: map[string]string{}, occurrences: map[string]string{},
	}
}

// next returns a delivery: a new one, or a recent one with or without other
// unsigned values.
func (w *world) next() randomDelivery {
	if w.n++; w.n%anew == 0 {
		clear(w.delivered)
		clear(w.occurrences)
		w.recent = nil
	}
	d := randomDelivery{body: fmt.Sprintf(`{"event":"e","n":%d,"x":%q}`, w.n, strings.Repeat("x", w.IntN(64))), event: "6", unsigned: fmt.Sprint("u", w.n)}
	if len(w.recent) == 0 || w.IntN(2) == 0 {
		if len(w.recent) > 0 && w.IntN(4) == 0 {
			d.unsigned = w.recent[w.IntN(len(w.recent))].unsigned
		}
		return d
	}
	again := w.recent[w.IntN(len(w.recent))]
	switch w.IntN(5) {
	case 0:
		again.unsigned = d.unsigned
	case 1:
		again.unsigned = ""
	}
	return again
}

// request returns the signed request of a delivery. Its time is not part of its
// content.
func (w *world) request(d randomDelivery, at time.Time, mac func(prefix, body string) []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(d.body))
	set := func(name, value string) {
		if value != "" {
			r.Header[name] = []string{value}
		}
	}
	if w.scheme == "craneops" {
		set("X-Craneops-Signature", hex.EncodeToString(mac("", d.body)))
		set("X-Craneops-Event", d.unsigned)
		return r
	}
	millis := fmt.Sprint(at.UnixMilli())
	set("X-Mceasywebhook-Signature", "v1.0:"+base64.StdEncoding.EncodeToString(mac(millis+"|>"+d.event+"|>", d.body)))
	set("X-Mceasywebhook-Timestamp", millis)
	set("X-Mceasywebhook-Event", d.event)
	set("X-Mceasywebhook-Occurrence-Id", d.unsigned)
	return r
}

func (w *world) mac(prefix, body string) []byte {
	key := []byte(testSecret)
	if w.scheme == "mceasy" {
		key, _ = base64.StdEncoding.DecodeString(testSecret)
	}
	return macUnder(key, prefix, body)
}

// send sends one delivery and compares the outcome with the model.
func (w *world) send(t *testing.T) {
	d := w.next()
	at := testTime.Add(time.Duration(w.IntN(9*60)-4*60) * time.Second).Add(-time.Minute)
	want := w.expected(d)
	r := w.request(d, at, w.mac)
	switch w.IntN(8) {
	case 0: // one bit of the body
		changed := []byte(d.body)
		changed[w.IntN(len(changed))] ^= 1 << w.IntN(8)
		r.Body = io.NopCloser(strings.NewReader(string(changed)))
		want = "signature_mismatch"
	case 1: // one bit of the MAC
		bit := w.IntN(256)
		r = w.request(d, at, func(prefix, body string) []byte {
			sum := w.mac(prefix, body)
			sum[bit/8] ^= 1 << (bit % 8)
			return sum
		})
		want = "signature_mismatch"
	case 2:
		if w.scheme == "mceasy" { // authentic, and from another time
			r = w.request(d, testTime.Add(-time.Duration(301+w.IntN(1000))*time.Second), w.mac)
			want = "stale"
		}
	}
	w.status, w.got = http.StatusNoContent, ""
	if w.IntN(4) == 0 {
		w.status = http.StatusInternalServerError
	}
	recorder := httptest.NewRecorder()
	err := w.handler.ServeHTTP(recorder, requestOf(r), caddyhttp.HandlerFunc(w.application))
	got := string(reasonIn(err))
	if err == nil && w.got == "" && recorder.Code == http.StatusOK {
		got = "duplicate"
	}
	if got != want || (want == "") != (w.got != "") || w.got != "" && w.got != d.body {
		t.Fatalf("%+v: %q, want %q; forwarded %q", d, got, want, w.got)
	}
	w.remember(d, want == "" && w.status < 300)
}

func (w *world) application(rw http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	w.got = string(body)
	w.forwarded++
	rw.WriteHeader(w.status)
	return err
}

// expected returns the reason that the rules give, or an empty one if the
// delivery is forwarded.
func (w *world) expected(d randomDelivery) string {
	if unsigned, ok := w.delivered[d.body]; ok {
		if unsigned == d.unsigned {
			return "duplicate"
		}
		return "conflict"
	}
	if w.scheme == "mceasy" && d.unsigned != "" {
		if content, ok := w.occurrences[d.unsigned]; ok && content != d.body {
			return "conflict"
		}
	}
	return ""
}

func (w *world) remember(d randomDelivery, delivered bool) {
	if delivered {
		w.delivered[d.body] = d.unsigned
		w.occurrences[d.unsigned] = d.body
	}
	w.recent = append(w.recent, d)
	if len(w.recent) > lookBack {
		w.recent = w.recent[1:]
	}
}
