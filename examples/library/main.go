// Command library is a program that verifies Stripe's deliveries itself.
package main

import (
	"io"
	"log"
	"net/http"
	"os"

	"github.com/hooklatch/hooklatch/schemes"
)

func hook(v *schemes.Verifier, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body is too large or incomplete", http.StatusBadRequest)
		return
	}
	event, err := v.Verify(r, body)
	if err != nil {
		log.Print(err) // says why, and contains no secret and no text of the sender
		http.Error(w, "not verified", http.StatusUnauthorized)
		return
	}
	log.Printf("%s %s", event.Type, event.ID)
}

func main() {
	v, err := schemes.NewVerifier("stripe", []string{os.Getenv("STRIPE_SECRET")})
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /hook", func(w http.ResponseWriter, r *http.Request) { hook(v, w, r) })
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil)) //nolint:gosec // the proxy before it sets timeouts
}
