package explain

import (
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestNotThere is a definition that asks for members which the body does not
// have, or not as it wants them.
func TestNotThere(t *testing.T) {
	definition := schemes.Definition{
		Signature:  schemes.SignatureForm{Header: "X-Own"},
		ID:         schemes.Place{Body: "event_id"},
		Event:      schemes.EventPlace{Body: "type"},
		OccurredAt: schemes.BodyTime{Body: "created", Unit: "rfc3339"},
		Tenant:     "account.id",
	}
	const secret = "the-secret"
	for body, want := range map[string]string{
		`{"event_id":"e1","type":"paid","created":"2026-01-31T12:00:00Z","account":{"id":"a"}}`: "",
		`{"event_id":"e1","type":"paid","created":1769860800,"account":{"idd":"a"}}`:            "created, account.id",
		`{"event_id":1,"typ":"paid","created":"2026-01-31T12:00:00Z","account":{"id":"a"}}`:     "event_id, type",
		`no JSON`: "event_id, type, created, account.id",
	} {
		scheme, err := definition.Compile("own")
		if err != nil {
			t.Fatal(err)
		}
		headers, err := scheme.SignWith(secret, schemes.Outgoing{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		d := &Delivery{
			Scheme: scheme, Definition: &definition, Secrets: []string{secret},
			Request: schemes.Request{Method: "POST", Header: headers}, Body: []byte(body),
		}
		var members []string
		for _, f := range d.Accepted() {
			_, rest, _ := strings.Cut(f.What, " at ")
			member, _, _ := strings.Cut(rest, ",")
			members = append(members, member)
		}
		if got := strings.Join(members, ", "); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
}
