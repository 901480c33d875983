package explain_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
	"github.com/hooklatch/hooklatch/schemes/explain"
)

// The provider signed a form, and a framework kept only the value of its field.
func Example() {
	github, _ := schemes.Get("github")
	delivery := explain.Delivery{
		Scheme:  github,
		Secrets: []string{"k"},
		Request: schemes.Request{Header: http.Header{
			"X-Hub-Signature-256": {"sha256=17d0b13a3a1e4fd55632f6a6cbb3303464f982b09bfdd893ae1ecae1657af4e1"},
		}},
		Body: []byte(`{"a":1}`),
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, f := range delivery.Refused(ctx, schemes.SignatureMismatch).Findings {
		fmt.Println(f.What)
	}
	// Output: the body was decoded from the form's field payload, and the form was signed
}
