package explain

import (
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestNotThere tests a definition that reads members which the body does not
// have, or has in another form.
func TestNotThere(t *testing.T) {
	definition := schemes.Definition{
		Signature:  schemes.SignatureForm{Header: "X-Own"},
		ID:         schemes.Place{Body: "event_id"},
		Event:      schemes.EventPlace{Body: "type"},
		OccurredAt: schemes.BodyTime{Body: "created", Unit: "rfc3339"},
		Tenant:     "account.id", Environment: "env", OccurrenceID: "X-Occurrence",
	}
	const secret = "the-secret"
	for body, want := range map[string]string{
		`{"event_id":"e1","type":"paid","created":"2026-01-31T12:00:00Z","account":{"id":"a"},"env":"live"}`: "",
		`{"event_id":"e1","type":"paid","created":1769860800,"account":{"idd":"a"},"env":null}`:              "created is in another unit; no member account.id; no member env",
		`{"event_id":1,"typ":"paid","created":"yesterday","account":[],"env":{}}`:                            "event_id is not a text; no member type; created is not a time; no member account.id; env is not a text",
		`{"event_id":"e 1","type":"paid","created":"1769860800000","account":{"id":"a"},"env":""}`:           "event_id cannot be an id; created is in another unit",
		`no JSON`: "the body is no JSON object",
	} {
		scheme, err := definition.Compile("own")
		if err != nil {
			t.Fatal(err)
		}
		headers, err := scheme.SignWith(secret, schemes.Delivery{Body: []byte(body)})
		if err != nil {
			t.Fatal(err)
		}
		d := &Delivery{
			Scheme: scheme, Definition: &definition, Secrets: []string{secret},
			Request: schemes.Request{Method: "POST", Header: headers}, Body: []byte(body),
		}
		for _, occurrence := range []string{"", "o1"} {
			d.Request.Header.Set("X-Occurrence", occurrence)
			wants := strings.Split(want, "; ")
			if want == "" {
				wants = nil
			}
			if occurrence == "" && body[0] == '{' {
				wants = append(wants, "no header X-Occurrence")
			}
			found := d.Accepted()
			for i := range wants {
				if len(found) != len(wants) || !strings.Contains(found[i].What, wants[i]) {
					t.Fatalf("%s: %v, want %s", body, found, wants)
				}
			}
			if wants == nil && found != nil {
				t.Errorf("%s: %v", body, found)
			}
		}
	}
}
