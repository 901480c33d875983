package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// altered is a delivery that must be refused.
type altered struct {
	name   string
	sent   harness.Delivery
	reason string // of the gateway
	old    bool   // authentic, and refused only for its time
	future bool   // the same; most libraries accept a future time
}

// alterations returns altered versions of a signed delivery.
func (s specimen) alterations(t *testing.T, now time.Time, sign func(key string, at time.Time) harness.Delivery) []altered {
	t.Helper()
	const mismatch = "signature_mismatch"
	honest := sign(s.signingKey(), now)
	list := []altered{
		{name: "body", sent: honest.Saying(bytes.Replace(honest.Body, []byte("n17"), []byte("n16"), 1)), reason: mismatch},
		{name: "signature", sent: honest.With(s.signature, flipped(t, honest.Get(s.signature))), reason: mismatch},
		{name: "no signature", sent: honest.Without(s.signature), reason: "missing_signature"},
		{name: "secret", sent: sign(s.wrong, now), reason: mismatch},
	}
	if s.id != "" {
		list = append(list, altered{name: "id", sent: honest.With(s.id, honest.Get(s.id)+"0"), reason: mismatch})
	}
	if s.located {
		list = append(list, altered{name: "URL", sent: honest.To(honest.Path + "&more=1"), reason: mismatch})
	}
	if s.timed {
		stale, future := sign(s.signingKey(), now.Add(-time.Hour)), sign(s.signingKey(), now.Add(time.Hour))
		list = append(list,
			altered{name: "stale", sent: stale, reason: "stale", old: true},
			altered{name: "future", sent: future, reason: "future", future: true},
			altered{name: "refreshed", sent: refreshed(stale, now.Add(-time.Hour), now), reason: mismatch})
	}
	return list
}

// refreshed replaces the signed time with another one. Times in a body are in
// milliseconds, which begin with the seconds.
func refreshed(d harness.Delivery, from, to time.Time) harness.Delivery {
	changed := d
	changed.Headers = nil
	found := false
	for _, h := range d.Headers {
		value := strings.ReplaceAll(h.Value, harness.Unix(from), harness.Unix(to))
		found = found || value != h.Value
		changed = changed.Plus(h.Name, value)
	}
	if found {
		return changed
	}
	return d.Saying(bytes.ReplaceAll(d.Body, []byte(harness.Unix(from)), []byte(harness.Unix(to))))
}

var (
	hexSignature    = regexp.MustCompile(`[0-9a-f]{64,}$`)
	base64Signature = regexp.MustCompile(`[A-Za-z0-9+/]{26,}=*$`)
)

// flipped changes the last bit of the signature at the end of a header's value,
// so that it keeps its form.
func flipped(t *testing.T, value string) string {
	t.Helper()
	decode, encode := hex.DecodeString, hex.EncodeToString
	at := hexSignature.FindStringIndex(value)
	if at == nil {
		decode, encode = base64.StdEncoding.DecodeString, base64.StdEncoding.EncodeToString
		at = base64Signature.FindStringIndex(value)
	}
	if at == nil {
		t.Fatalf("there is no signature in %q", value)
	}
	signature, err := decode(value[at[0]:])
	if err != nil {
		t.Fatal(err)
	}
	signature[len(signature)-1] ^= 1
	return value[:at[0]] + encode(signature)
}
