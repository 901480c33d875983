package schemes

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"testing"
	"time"
)

// vector is one delivery with the right answer, see testdata/README.md.
type vector struct {
	Provider   string      `json:"provider"`
	Name       string      `json:"name"`
	Secret     string      `json:"secret"`
	Method     string      `json:"method"`
	Headers    [][2]string `json:"headers"`
	BodyBase64 string      `json:"body_base64"`
	At         int64       `json:"at"`
	Expect     string      `json:"expect"`
	Level      string      `json:"level"`
	Why        string      `json:"why"`
}

func (v vector) id() string { return v.Provider + "/" + v.Name }

func (v vector) body(t testing.TB) []byte {
	body, err := base64.StdEncoding.DecodeString(v.BodyBase64)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func (v vector) header() http.Header {
	h := http.Header{}
	for _, pair := range v.Headers {
		h.Add(pair[0], pair[1])
	}
	return h
}

func readVectors(t testing.TB) []vector {
	var vectors []vector
	readTestdata(t, "providers.json", &vectors)
	if len(vectors) != 131 {
		t.Fatalf("%d vectors, want 131", len(vectors))
	}
	return vectors
}

// readReasons gives the reason of every rejected vector.
func readReasons(t testing.TB) map[string]string {
	var reasons map[string]string
	readTestdata(t, "reasons.json", &reasons)
	return reasons
}

func readTestdata(t testing.TB, name string, into any) {
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// verify is what a caller does with a scheme, with the window of five minutes
// that the vectors assume.
func verify(t testing.TB, scheme string, secrets []string, h http.Header, body []byte, at time.Time) (Facts, error) {
	s, ok := Get(scheme)
	if !ok {
		t.Fatalf("no scheme %q", scheme)
	}
	return verifyBy(t, s, secrets, requestOf(s, h, body), body, at)
}

// verifyBy is verify for a scheme that need not be registered.
func verifyBy(t testing.TB, s *Scheme, secrets []string, r Request, body []byte, at time.Time) (Facts, error) {
	v, err := s.NewVerifier(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	d, err := v.Open(r)
	if err != nil {
		return Facts{}, err
	}
	defer d.Close()
	// In pieces, as bodies arrive.
	for piece := range bytesIn(body, 7) {
		d.Write(piece)
	}
	if _, err := d.Verify(body); err != nil {
		return Facts{}, err
	}
	if s.Time == TimeInHeaders {
		switch age := at.Sub(d.Claim.SentAt); {
		case age > 5*time.Minute:
			return Facts{}, errStale
		case age < -5*time.Minute:
			return Facts{}, errFuture
		}
	}
	return d.Facts(body), nil
}

var (
	errStale  = errors.New("stale")
	errFuture = errors.New("future")
)

func bytesIn(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(n, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}

// reasonOf names an error the way a verdict does.
func reasonOf(err error) string {
	var refusal *Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refusal):
		return string(refusal.Reason)
	}
	return err.Error()
}

func TestVectors(t *testing.T) {
	reasons := readReasons(t)
	for _, v := range readVectors(t) {
		t.Run(v.id(), func(t *testing.T) {
			body := v.body(t)
			_, err := verify(t, v.Provider, []string{v.Secret}, v.header(), body, time.UnixMilli(v.At))
			want, rejected := reasons[v.id()]
			if rejected != (v.Expect == "reject") {
				t.Fatalf("the vector says %s, the table of reasons has %q", v.Expect, want)
			}
			if got := reasonOf(err); got != want {
				t.Errorf("reason %q, want %q (%s)", got, want, v.Why)
			}
		})
	}
}

// TestVectorsWithAnotherSecretFirst shows that the position of a secret makes
// no difference to what is accepted.
func TestVectorsWithAnotherSecretFirst(t *testing.T) {
	reasons := readReasons(t)
	const other = "b3RoZXIgc2VjcmV0IHRoYXQgc2lnbmVkIG5vdGhpbmc=" // base64, so that McEasy takes it
	for _, v := range readVectors(t) {
		t.Run(v.id(), func(t *testing.T) {
			_, err := verify(t, v.Provider, []string{other, v.Secret}, v.header(), v.body(t), time.UnixMilli(v.At))
			if got, want := reasonOf(err), reasons[v.id()]; got != want {
				t.Errorf("reason %q, want %q", got, want)
			}
		})
	}
}
