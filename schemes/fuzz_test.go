package schemes

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The fuzz targets of the header grammars all check the same property: nothing
// panics, and an accepted header matches a regular expression of its grammar,
// written independently here, and determines exactly the signed text.

const fuzzBody = `{"event":"x|>y.z"}`

func seedHeaders(f *testing.F, scheme, header string) {
	for _, s := range seeds(f, scheme) {
		f.Add(s.header().Get(header))
	}
}

// fuzzVerifiers are made once.
var fuzzVerifiers sync.Map

// opened begins a verification and checks that a made-up MAC is not accepted.
func opened(t *testing.T, s Scheme, h http.Header) (*SignedHeaders, bool) {
	known, ok := fuzzVerifiers.Load(s.Name())
	if !ok {
		v, err := s.NewVerifier([]string{"c2VjcmV0"})
		if err != nil {
			t.Fatal(err)
		}
		known, _ = fuzzVerifiers.LoadOrStore(s.Name(), v)
	}
	d, err := known.(*Verifier).Begin(Request{Header: h})
	if err != nil {
		if reason := reasonOf(err); !strings.HasPrefix(reason, "m") {
			t.Fatalf("refused with %q", reason)
		}
		return nil, false
	}
	d.Write([]byte(fuzzBody))
	if _, err := d.Authenticate(); err == nil {
		t.Fatal("a MAC that nobody made was accepted")
	}
	return &d.SignedHeaders, true
}

var hexGrammar = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)

func FuzzHexSignature(f *testing.F) {
	seedHeaders(f, "craneops", "X-Craneops-Signature")
	seedHeaders(f, "easytools", "X-Webhook-Signature")
	f.Fuzz(func(t *testing.T, text string) { checkHexSignature(t, text) })
}

// checkHexSignature and the other check functions report whether the grammar
// accepts a text.
func checkHexSignature(t *testing.T, text string) (taken bool) {
	for _, name := range []string{"craneops", "easytools"} {
		s, _ := Get(name)
		c, ok := opened(t, s, http.Header{s.SignatureHeader(): {text}})
		if ok != hexGrammar.MatchString(text) {
			t.Fatalf("%s: taken %v: %q", s.Name(), ok, text)
		}
		if ok && hex.EncodeToString(c.Signatures[0].Bytes()) != strings.ToLower(text) {
			t.Fatalf("%s: another MAC than was sent", s.Name())
		}
		taken = ok
	}
	return taken
}

var (
	cryptrTime = regexp.MustCompile(`^t=([0-9]{1,10})$`)
	cryptrMAC  = regexp.MustCompile(`^v[01]=(?:sha256\.)?([0-9A-Fa-f]{64}|[A-Za-z0-9_-]{43}=?)$`)
)

// cryptrElements reads the header in a slow and obvious way.
func cryptrElements(text string) (t string, macs int, ok bool) {
	names := map[string]int{}
	for _, element := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' }) {
		name, _, _ := strings.Cut(element, "=")
		switch {
		case !strings.Contains(element, "="):
			continue
		case name == "t":
			m := cryptrTime.FindStringSubmatch(element)
			if m == nil {
				return "", 0, false
			}
			t = m[1]
		case name == "v0" || name == "v1":
			if isCryptrMAC(element) {
				macs++
			}
		default:
			continue
		}
		if names[name]++; names[name] > 1 {
			return "", 0, false
		}
	}
	return t, macs, t != "" && macs > 0 && len(text) <= 4096
}

func isCryptrMAC(element string) bool {
	m := cryptrMAC.FindStringSubmatch(element)
	if m == nil || len(m[1]) == 64 {
		return m != nil
	}
	text := strings.TrimRight(m[1], "=")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && base64.RawURLEncoding.EncodeToString(raw) == text
}

func FuzzCryptrSignature(f *testing.F) {
	seedHeaders(f, "cryptr", "Cryptr-Signature")
	f.Fuzz(func(t *testing.T, text string) { checkCryptrSignature(t, text) })
}

func checkCryptrSignature(t *testing.T, text string) (taken bool) {
	c, ok := opened(t, mustGet(t, "cryptr"), http.Header{"Cryptr-Signature": {text}})
	at, macs, want := cryptrElements(text)
	if ok != want {
		t.Fatalf("taken %v, want %v: %q", ok, want, text)
	}
	if ok && (string(c.Prefix) != at+"." || len(c.Signatures) != macs) {
		t.Fatalf("prefix %q and %d MACs from %q", c.Prefix, len(c.Signatures), text)
	}
	return ok
}

var mceasyGrammar = regexp.MustCompile(`^v1\.[0-9]{1,3}:([A-Za-z0-9+/]{43}=)$`)

func FuzzMcEasyHeaders(f *testing.F) {
	for _, s := range seeds(f, "mceasy") {
		h := s.header()
		f.Add(h.Get("X-Mceasywebhook-Signature"), h.Get("X-Mceasywebhook-Timestamp"), h.Get("X-Mceasywebhook-Event"), h.Get("X-Mceasywebhook-Occurrence-Id"))
	}
	f.Fuzz(func(t *testing.T, signature, at, event, occurrence string) {
		checkMcEasyHeaders(t, signature, at, event, occurrence)
	})
}

var onlyDigits = regexp.MustCompile(`^[0-9]+$`)

func checkMcEasyHeaders(t *testing.T, signature, at, event, occurrence string) (taken bool) {
	c, ok := opened(t, mustGet(t, "mceasy"), http.Header{
		"X-Mceasywebhook-Signature": {signature}, "X-Mceasywebhook-Timestamp": {at}, "X-Mceasywebhook-Event": {event}, "X-Mceasywebhook-Occurrence-Id": {occurrence},
	})
	m := mceasyGrammar.FindStringSubmatch(signature)
	want := m != nil && onlyDigits.MatchString(at) && len(at) <= 13 && onlyDigits.MatchString(event) && len(event) <= 10
	if want {
		raw, _ := base64.StdEncoding.DecodeString(m[1])
		want = base64.StdEncoding.EncodeToString(raw) == m[1]
	}
	if ok != want {
		t.Fatalf("taken %v, want %v: %q %q %q", ok, want, signature, at, event)
	}
	if ok && (string(c.Prefix) != at+"|>"+event+"|>" || c.OccurrenceID.Value != occurrence) {
		t.Fatalf("prefix %q from %q %q", c.Prefix, at, event)
	}
	return ok
}

// FuzzFlippedBits changes one bit of the signed text; the delivery must be
// refused.
func FuzzFlippedBits(f *testing.F) {
	f.Add([]byte(`{"event":"paid"}`), uint(3), uint8(0))
	f.Add([]byte("6|>{}"), uint(77), uint8(3))
	f.Fuzz(func(t *testing.T, body []byte, bit uint, which uint8) {
		four := []string{"craneops", "cryptr", "easytools", "mceasy"}
		s, _ := Get(four[int(which)%len(four)])
		at := time.Unix(1760000000, 0)
		prefix, h := independentlySigned(s.Name(), []byte("secret"), body, at)
		if _, err := verify(t, s.Name(), secretFor(s.Name()), h, body, at); err != nil {
			t.Fatalf("%s: honest delivery refused: %v", s.Name(), err)
		}
		if len(body) == 0 {
			return
		}
		changed := append([]byte(nil), body...)
		changed[bit/8%uint(len(body))] ^= 1 << (bit % 8)
		_, err := verify(t, s.Name(), secretFor(s.Name()), h, changed, at)
		if reasonOf(err) != "signature_mismatch" {
			t.Fatalf("%s: changed body: %v (prefix %q)", s.Name(), err, prefix)
		}
	})
}

// secretFor returns the secret as it is configured: McEasy's is in base64.
func secretFor(scheme string) []string {
	if scheme == "mceasy" {
		return []string{"c2VjcmV0"}
	}
	return []string{"secret"}
}

// independentlySigned signs without this package's signers.
func independentlySigned(scheme string, key, body []byte, at time.Time) (string, http.Header) {
	seconds := at.Unix()
	prefix := map[string]string{"cryptr": itoa(seconds) + ".", "mceasy": itoa(seconds*1000) + "|>6|>"}[scheme]
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(prefix))
	mac.Write(body)
	sum := mac.Sum(nil)
	switch scheme {
	case "cryptr":
		return prefix, http.Header{"Cryptr-Signature": {"v1=" + base64.RawURLEncoding.EncodeToString(sum) + " t=" + itoa(seconds)}}
	case "mceasy":
		return prefix, http.Header{
			"X-Mceasywebhook-Signature": {"v1.0:" + base64.StdEncoding.EncodeToString(sum)},
			"X-Mceasywebhook-Timestamp": {itoa(seconds * 1000)}, "X-Mceasywebhook-Event": {"6"},
		}
	case "easytools":
		return prefix, http.Header{"X-Webhook-Signature": {hex.EncodeToString(sum)}}
	}
	return prefix, http.Header{"X-Craneops-Signature": {hex.EncodeToString(sum)}}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
