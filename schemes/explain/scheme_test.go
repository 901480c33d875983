package explain

import (
	"context"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestOtherScheme verifies the deliveries of every scheme as those of every
// other one.
func TestOtherScheme(t *testing.T) {
	everyScheme(t, all, func(t *testing.T, s specimen) {
		tested := 0
		for _, other := range schemes.All() {
			d := s.delivery(t)
			d.Scheme = other
			_, err := other.NewVerifier(d.Secrets)
			if err != nil || d.accepted() {
				continue // this scheme cannot use the secret, or signs in the same way
			}
			tested++
			found := d.refused(d.reason())
			if s.scheme.Name() == "intercom" && strings.HasPrefix(other.SignatureHeader(), "X-Hub-Signature-") {
				// As likely as another provider's is the older one of the two that this one sends.
				if len(found) != 1 || !strings.HasPrefix(found[0].What, "the delivery has the older signature alone") {
					t.Errorf("%s: %+v", other.Name(), found)
				}
				continue
			}
			if len(found) != 1 || !strings.HasPrefix(found[0].What, "it is a delivery of another provider: as ") || !strings.Contains(found[0].Do, s.scheme.Name()) {
				t.Errorf("%s: %+v", other.Name(), found)
			}
			d.Secrets = []string{specimenOf(t, other).secret}
			if d.Secrets[0] == s.secret || d.reason() != schemes.MissingSignature {
				continue
			}
			found = d.refused(schemes.MissingSignature)
			if len(found) != 1 || !strings.HasPrefix(found[0].What, "the headers are those of another provider: ") || !strings.Contains(found[0].Do, s.scheme.Name()) {
				t.Errorf("%s with its own secret: %+v", other.Name(), found)
			}
		}
		if tested == 0 && !s.public {
			t.Error("no scheme can be mistaken for it")
		}
	})
}

// TestUnexplained: a delivery that nothing explains. Without THOROUGH it is one
// for each kind of scheme.
func TestUnexplained(t *testing.T) {
	type kind struct {
		request, text bool
		time          schemes.TimeSource
	}
	seen := map[kind]bool{}
	everyScheme(t, func(s specimen) bool {
		if !hmacs(s) {
			return false
		}
		k := kind{s.scheme.SignsRequest(), s.isText(), s.scheme.Time()}
		another := !seen[k]
		seen[k] = true
		return another || thorough
	}, func(t *testing.T, s specimen) {
		d := s.delivery(t)
		other, _ := s.secretOf([]byte("another key of at least 24 bytes"))
		d.Secrets = []string{other}
		if reason := d.reason(); reason != schemes.SignatureMismatch {
			t.Fatal(reason)
		}
		e := d.Refused(context.Background(), schemes.SignatureMismatch)
		if e.Proven && e.Findings != nil {
			t.Errorf("%+v", e.Findings)
		}
		tried, do := e.Tried, e.Next
		if strings.Contains(tried, "URL") != s.scheme.SignsRequest() || !strings.Contains(tried, "JSON") || strings.Contains(do, "empty") {
			t.Errorf("%s\n%s", tried, do)
		}
		d.Body = nil
		if _, do := d.unexplained(schemes.SignatureMismatch); !strings.Contains(do, "the body that was kept is empty") {
			t.Error(do)
		}
		d.Body = make([]byte, maxChanged+1)
		if tried, _ := d.unexplained(schemes.SignatureMismatch); strings.Contains(tried, "JSON") {
			t.Error(tried)
		}
		for _, reason := range []schemes.Reason{schemes.Stale, schemes.Future, schemes.NoSignedTime} {
			if found := d.refused(reason); found != nil {
				t.Errorf("%s: %+v", reason, found)
			}
		}
	})
}
