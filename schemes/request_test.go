package schemes

import "testing"

// TestHostWithAPath: the text of a signed URL can be cut between host and path
// in one place only.
func TestHostWithAPath(t *testing.T) {
	for name, body := range map[string][]byte{"square": []byte(`{"a":1}`), "twilio": []byte("a=1")} {
		scheme, _ := Get(name)
		whole := Request{Method: "POST", Scheme: "https", Host: "h", URI: "/hooks/x"}
		header, err := scheme.SignWith("secret", Delivery{Body: body, Request: whole})
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := scheme.NewVerifier([]string{"secret"})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []Request{whole, {Host: "h/hooks", URI: "/x"}, {Host: "h/hooks/x", URI: ""}, {Host: "", URI: "h/hooks/x"}} {
			r.Header, r.Method, r.Scheme = header, whole.Method, whole.Scheme
			accepted := false
			if d, err := verifier.Begin(r); err == nil {
				_, _ = d.Write(body)
				_, err = d.Authenticate()
				accepted = err == nil
				d.Close()
			}
			if want := r.Host == whole.Host; accepted != want {
				t.Errorf("%s: %q %q accepted: %v", name, r.Host, r.URI, accepted)
			}
		}
	}
}
