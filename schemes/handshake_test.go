package schemes

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestSignedHandshakes(t *testing.T) {
	const none, refused = "none", "malformed_signature"
	zoomKey := Key{Secret: []byte("secret")}
	long := strings.Repeat("a", 129)
	for _, c := range []struct {
		scheme, body, want string
	}{
		{"slack", `{"token":"t","challenge":"3eZbrw1aBm2r","type":"url_verification"}`, "3eZbrw1aBm2r"},
		{"slack", `{"challenge":"3eZbrw1aBm2r","type":"event_callback"}`, none},
		{"slack", `{"challenge":"3eZbrw1aBm2r","type":"url_verification","type":"x"}`, none},
		{"slack", `type=url_verification&challenge=a`, none},
		{"slack", ``, none},
		{"slack", `ssl_check=1&token=xxx`, ""},
		{"slack", `ssl_check=1&token=xxx&command=x`, none},
		{"slack", `{"type":"url_verification"}`, refused},
		{"slack", `{"type":"url_verification","challenge":7}`, refused},
		{"slack", `{"type":"url_verification","challenge":"<b>"}`, refused},
		{"slack", `{"type":"url_verification","challenge":"` + long + `"}`, refused},

		// HMAC-SHA256 of "qgg8vlvZRS6UYooatFL8Aw" under "secret", by openssl.
		{
			"zoom", `{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}`,
			`{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"72cef096bfd47c0b8664df30d07721641e4abd7e885ba432204260db477a9a3e"}`,
		},
		{"zoom", `{"payload":{"plainToken":"a"},"event":"meeting.started"}`, none},
		{"zoom", `{"plainToken":"a","event":"endpoint.url_validation"}`, refused},
		// A request can never obtain a signature for the text of a Zoom
		// delivery.
		{"zoom", `{"payload":{"plainToken":"v0:1654503849:{}"},"event":"endpoint.url_validation"}`, refused},
		{"zoom", `{"payload":{"plainToken":"v0\u003a1"},"event":"endpoint.url_validation"}`, refused},
		{"zoom", `{"payload":{"plainToken":""},"event":"endpoint.url_validation"}`, refused},
		{"zoom", `{"payload":{"plainToken":"` + long + `"},"event":"endpoint.url_validation"}`, refused},

		{"discord", `{"id":"1","type":1,"token":"t","version":1}`, `{"type":1}`},
		{"discord", `{"version":1,"application_id":"1","type":0}`, ""},
		{"discord", `{"version":1,"application_id":"1","type":1,"event":{"type":"ENTITLEMENT_CREATE"}}`, none},
		{"discord", `{"version":1,"type":1,"event":null}`, none},
		{"discord", `{"type":2}`, none},
		{"discord", `{"type":"1"}`, none},
		{"discord", `{"type":1,"type":1}`, none},
		{"discord", `{"type":1} `, `{"type":1}`},
		{"discord", `{"type":1}x`, none},
	} {
		s, ok := Get(c.scheme)
		if !ok || s.Handshake() == nil || s.Handshake().Signed == nil {
			t.Fatalf("%s has no handshake", c.scheme)
		}
		reply, err := s.Handshake().Signed(zoomKey, []byte(c.body))
		got := none
		switch {
		case err != nil:
			got = reasonOf(err)
		case reply != nil:
			got = string(reply.Body)
		}
		if got != c.want {
			t.Errorf("%s %s:\n%s, want\n%s", c.scheme, c.body, got, c.want)
		}
	}
}

// TestUnsignedHandshakes: the answer is the same for every sender, so it
// reveals nothing about a secret.
func TestUnsignedHandshakes(t *testing.T) {
	found := 0
	for _, s := range All() {
		if s.Handshake() == nil {
			continue
		}
		if s.Handshake().Asks == "" {
			t.Errorf("%s: nothing says what the provider sends", s.Name())
		}
		if s.Handshake().Unsigned == nil {
			continue
		}
		found++
		for body, want := range map[string]bool{
			"ssl_check=1&token=a": true, "token=b&ssl_check=1": true, "ssl_check=1": true, "token=%41&ssl_check=1": true,
			"ssl_check=1&token=a&token=b": false, "ssl_check=1&x=1": false, "ssl_check=1;token=a": false, "&": false, "": false, "{}": false,
		} {
			if reply := s.Handshake().Unsigned([]byte(body)); (reply != nil) != want || reply != nil && (len(reply.Body) > 0 || reply.Status != 0) {
				t.Errorf("%s: %q is answered %v", s.Name(), body, reply)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d schemes have one, and only slack's is tried here", found)
	}
}

func TestMetaHandshake(t *testing.T) {
	meta, _ := Get("meta")
	known := func(token string) bool { return token == "chosen" }
	const begin = "hub.mode=subscribe&hub.verify_token=chosen&hub.challenge="
	for query, want := range map[string]string{
		begin + "1158201444":                 "1158201444",
		"a=b&" + begin + "x":                 "x",
		"":                                   "none",
		"hub.challenge=1":                    "none",
		"hub.mode=subscribe":                 "malformed_signature",
		"hub.mode=subscribe&hub.challenge=1": "malformed_signature",
		"hub.mode=unsubscribe&hub.verify_token=chosen&hub.challenge=1": "malformed_signature",
		"hub.mode=subscribe&hub.verify_token=other&hub.challenge=1":    "signature_mismatch",
		"hub.mode=subscribe&hub.verify_token=&hub.challenge=1":         "signature_mismatch",
		"hub.mode=subscribe&hub.verify_token=other&" + begin + "1":     "malformed_signature",
		begin:                            "malformed_signature",
		begin + "%3Cscript%3E":           "malformed_signature",
		begin + "1%0d%0aSet-Cookie:a":    "malformed_signature",
		begin + strings.Repeat("1", 129): "malformed_signature",
		begin + "1&hub.challenge=2":      "malformed_signature",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := meta.Handshake().Query(values, known)
		got := "none"
		switch {
		case err != nil:
			got = reasonOf(err)
		case reply != nil:
			got = string(reply.Body)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

// TestHandshakeIsForAVerifiedDelivery: Handshake returns nothing before the
// signature has been verified.
func TestHandshakeIsForAVerifiedDelivery(t *testing.T) {
	zoom, _ := Get("zoom")
	body := []byte(`{"payload":{"plainToken":"a"},"event":"endpoint.url_validation"}`)
	v, err := zoom.NewVerifier([]string{"new", "old"})
	if err != nil {
		t.Fatal(err)
	}
	h, err := zoom.SignWith("old", Delivery{Body: body, At: time.Unix(1760000000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second reuses the memory of the first
		d, err := v.Begin(Request{Header: h})
		if err != nil {
			t.Fatal(err)
		}
		if reply, err := d.Handshake(); reply != nil || err != nil {
			t.Fatalf("unverified: %v %v", reply, err)
		}
		d.Write(body)
		if _, err := d.Authenticate(); err != nil {
			t.Fatal(err)
		}
		reply, err := d.Handshake()
		// With the key that matches: HMAC-SHA256 of "a" under "old", by
		// openssl.
		if err != nil || !strings.Contains(string(reply.Body), "ccb8aa420cd444f5cfdcd2d6615b96bb052db7c6401711ceaf45f0a800cf00aa") {
			t.Fatalf("%s %v", reply.Body, err)
		}
		d.Close()
	}
}
