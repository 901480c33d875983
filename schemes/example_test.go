package schemes_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// at is the time at which the deliveries of the examples are sent and verified.
func at() time.Time { return time.Unix(1760000000, 0) }

// Verify checks a delivery whose body has been read.
func ExampleNewVerifier() {
	v, err := schemes.NewVerifier("stripe", []string{"whsec_new", "whsec_old"}, schemes.Clock(at))
	if err != nil {
		fmt.Println(err)
		return
	}
	body := `{"id":"evt_1","type":"invoice.paid"}`
	r := httptest.NewRequest(http.MethodPost, "/hook", nil)
	r.Header.Set("Stripe-Signature", "t=1760000000,v1=0ed470af61a93720d9e07a45ff4d7d66554946a8f70d7bcc91e991aebeac01e2")

	event, err := v.Verify(r, []byte(body))
	fmt.Println(event.Type, event.ID, event.Secret, err)

	_, err = v.Verify(r, []byte(strings.Replace(body, "evt_1", "evt_2", 1)))
	fmt.Println(errors.Is(err, schemes.ErrSignatureMismatch), errors.Is(err, schemes.ErrStale))
	// Output:
	// invoice.paid evt_1 2 <nil>
	// true false
}

// SignWith signs a test delivery as the provider would.
func ExampleScheme_SignWith() {
	stripe, _ := schemes.Get("stripe")
	headers, err := stripe.SignWith("whsec_old", schemes.Delivery{
		Body: []byte(`{"id":"evt_1","type":"invoice.paid"}`), At: at(),
	})
	fmt.Println(headers.Get("Stripe-Signature"), err)
	// Output:
	// t=1760000000,v1=0ed470af61a93720d9e07a45ff4d7d66554946a8f70d7bcc91e991aebeac01e2 <nil>
}

// This provider signs the send time and the body, and sends the id of the event
// in the body. Define would register the scheme; here it is only compiled.
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
	header, err := acme.SignWith("a secret", schemes.Delivery{Body: body, At: at()})
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := acme.NewVerifier([]string{"a secret"}, schemes.Clock(at))
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := verifier.Verify(&http.Request{Header: header}, body)
	fmt.Println(event.ID, event.Type, err)

	_, err = schemes.Definition{
		Signature: schemes.SignatureForm{Header: "Acme-Signature"},
		Signed:    "{id}{body}",
		ID:        schemes.Place{Header: "Acme-Id"},
	}.Compile("acme")
	fmt.Println(err)
	// Output:
	// ev_1 paid <nil>
	// signed: it cannot be told where {id} ends, which may hold what {body} begins with: a signed delivery could be cut into another one; if all bodies are JSON objects, set json_object, which holds them to that
}

// Begin verifies a body while it arrives.
func ExampleVerifier_Begin() {
	v, err := schemes.NewVerifier("github", []string{"a secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	github, _ := schemes.Get("github")
	header, err := github.SignWith("a secret", schemes.Delivery{Body: []byte("[1,2]")})
	if err != nil {
		fmt.Println(err)
		return
	}
	delivery, err := v.Begin(schemes.Request{Header: header})
	if err != nil {
		fmt.Println(err) // before one byte of the body is read
		return
	}
	defer delivery.Close()
	for _, piece := range []string{"[1,", "2]"} {
		_, _ = delivery.Write([]byte(piece))
	}
	_, err = delivery.Verify()
	fmt.Println(err)
	// Output: <nil>
}

// This provider signs the body in upper case, which no definition can describe.
func ExampleImplementation() {
	loud, err := schemes.Implementation{
		Name: "loud", SignatureHeader: "Loud-Signature",
		Keys: func(secret string) ([]schemes.Key, error) {
			return []schemes.Key{{Algorithm: schemes.HMACSHA256, Secret: []byte(secret)}}, nil
		},
		Begin: func(r schemes.Request, c *schemes.SignedHeaders) error {
			if !c.AddHex(r.Header.Get("Loud-Signature"), 32, 0) {
				return schemes.Refuse(schemes.MalformedSignature, "Loud-Signature is not 64 hex digits")
			}
			return nil
		},
		SignedText: func(dst []byte, _ *schemes.SignedHeaders, body []byte, _ int) ([]byte, error) {
			return append(dst, bytes.ToUpper(body)...), nil
		},
		Read: func(*schemes.SignedHeaders, []byte) schemes.Event { return schemes.Event{} },
		Sign: func(key schemes.Key, d schemes.Delivery) (http.Header, error) {
			mac, err := key.Sign(bytes.ToUpper(d.Body))
			return http.Header{"Loud-Signature": {hex.EncodeToString(mac)}}, err
		},
	}.Compile()
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := loud.NewVerifier([]string{"secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodPost, "/hook", nil)
	r.Header, err = loud.SignWith("secret", schemes.Delivery{Body: []byte("hello")})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = v.Verify(r, []byte("hello"))
	fmt.Println(err)

	r.Header.Set("Loud-Signature", "quiet")
	_, err = v.Verify(r, []byte("hello"))
	fmt.Println(err)
	// Output:
	// <nil>
	// malformed_signature: Loud-Signature is not 64 hex digits
}
