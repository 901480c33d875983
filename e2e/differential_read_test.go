package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestReadAsTheLibraries: id, type and time of an event are what the provider's
// library reads. Of the providers' libraries only those of Stripe and Paddle read
// events and return these; the others say whether a signature is right, or return
// the body as it is. What the schemes read of the other providers' bodies is held to
// their documentation, by the vectors in schemes/testdata.
func TestReadAsTheLibraries(t *testing.T) {
	t.Parallel()
	libraries := officialLibraries(t)
	judge := []string{harness.Must(t, builtJudge)}
	r := rng{rand.New(rand.NewPCG(*seed, 7))}
	for scheme, bodyOf := range map[string]func(at time.Time) string{
		"stripe": func(at time.Time) string {
			return fmt.Sprintf(`{"id":"evt_%d","object":"event","type":"%s","created":%d,"data":{"object":{"id":"no","type":"no","created":1}}}`,
				r.IntN(1e9), pick(r, "invoice.paid", "v1.billing.meter.error_report_triggered", "x"), at.Unix())
		},
		"paddle": func(at time.Time) string {
			return fmt.Sprintf(`{"event_id":"evt_%d","event_type":"%s","occurred_at":"%s","notification_id":"ntf_1","data":{"id":"a","event_id":"no"}}`,
				r.IntN(1e9), pick(r, "address.created", "not.known.yet"), at.UTC().Format(pick(r, "2006-01-02T15:04:05.000000Z", time.RFC3339)))
		},
	} {
		s := named(t, specimens(), scheme)
		at := slices.IndexFunc(libraries, func(l library) bool { return l.Scheme == scheme && l.command[0] == "node" })
		for range 20 {
			now := time.Now().Truncate(time.Second)
			body := bodyOf(now.Add(-time.Duration(r.IntN(1e6)) * time.Second))
			q := question{
				Library: libraries[at].Name, Scheme: scheme, Secret: s.secret, Body: []byte(body), Now: now.UnixMilli(), Method: "POST",
				URL: "https://example.com/", Headers: harness.Pairs(s.signed(draft{time: harness.Unix(now), body: body, key: s.hmacKey()})),
			}
			theirs := ask(t, libraries[at].command, q)
			ours := ask(t, judge, q)
			if theirs.Read == nil || ours.Read == nil || *theirs.Read != *ours.Read || ours.Read.ID == "" || ours.Read.OccurredMS == 0 {
				t.Errorf("%s\n%v reads %+v (%s), and Hooklatch %+v (%s)", body, libraries[at], theirs.Read, theirs.Refused, ours.Read, ours.Refused)
			}
		}
	}
}

// TestAuthentic: the check of what was accepted sees a body, a URL and a signature
// that are others than was signed.
func TestAuthentic(t *testing.T) {
	t.Parallel()
	for _, s := range specimens() {
		checked := 0
		for n := range uint64(200) {
			c := s.trialOf(rng{rand.New(rand.NewPCG(*seed, n))}, time.Now().Truncate(time.Second))
			if slices.ContainsFunc(c.changes, func(change string) bool { return change != "URL" }) {
				continue // all URLs are somebody's own
			}
			checked++
			if !c.authentic() {
				t.Fatalf("it is, and is said not to be: %s", &c)
			}
			other := c
			if other.body = append(slices.Clone(c.body), "&more=1"...); other.authentic() {
				t.Fatalf("the body is another: %s", &other)
			}
			if other = c; s.located {
				if other.url += "?more=1"; other.authentic() {
					t.Fatalf("the URL is another: %s", &other)
				}
			}
			other = c
			other.headers = slices.Clone(c.headers)
			for i, h := range other.headers {
				if h.Name == s.signature {
					other.headers[i].Value = flipped(t, h.Value)
				}
			}
			if other.authentic() {
				t.Fatalf("the signature is another: %s", &other)
			}
		}
		if checked == 0 {
			t.Errorf("%s: nothing is checked", s.name)
		}
	}
}
