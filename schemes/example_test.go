package schemes_test

import (
	"fmt"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// A provider that signs its send time and the body, and has the id of the event
// in the body. Define registers such a scheme; here it is only compiled.
func ExampleDefinition() {
	acme, err := schemes.Definition{
		Source:    "docs.example.com/webhooks",
		Signature: schemes.SignatureForm{Header: "Acme-Signature", Separator: ",", Names: []string{"v1"}},
		Timestamp: schemes.TimePlace{Place: schemes.Place{Field: "t"}},
		Signed:    "{timestamp}.{body}",
		ID:        schemes.Place{Body: "data.id"},
		Event:     schemes.EventPlace{Body: "type"},
	}.Compile("acme")
	if err != nil {
		fmt.Println(err)
		return
	}
	body := []byte(`{"type":"paid","data":{"id":"ev_1"}}`)
	header, err := acme.SignWith("a secret", schemes.Outgoing{Body: body, At: time.Unix(1760000000, 0)})
	if err != nil {
		fmt.Println(err)
		return
	}

	verifier, err := acme.NewVerifier("a newer secret", "a secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	delivery, err := verifier.Open(schemes.Request{Header: header})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer delivery.Close()
	delivery.Write(body) // piece by piece, as it arrives
	secret, err := delivery.Verify(body)
	facts := delivery.Facts(body)
	fmt.Println(secret, err, facts.ID, facts.Event)

	_, err = schemes.Definition{
		Signature: schemes.SignatureForm{Header: "Acme-Signature"},
		Signed:    "{id}{body}",
		ID:        schemes.Place{Header: "Acme-Id"},
	}.Compile("acme")
	fmt.Println(err)
	// Output:
	// 2 <nil> ev_1 paid
	// signed: it cannot be told where {id} ends, which may hold what {body} begins with: a signed delivery could be cut into another one; if all bodies are JSON objects, set json_object, which holds them to that
}
