package schemes

import (
	"encoding/json"
	"net/url"
	"regexp"
	"testing"
)

var harmless = regexp.MustCompile(`^[A-Za-z0-9+/=_-]{1,128}$`)

// FuzzHandshakes: a handshake echoes or signs only a challenge, and no other
// part of the request gets into an answer.
func FuzzHandshakes(f *testing.F) {
	f.Add([]byte(`{"type":"url_verification","challenge":"a"}`), "hub.mode=subscribe&hub.verify_token=t&hub.challenge=1")
	f.Add([]byte(`{"event":"endpoint.url_validation","payload":{"plainToken":"a"}}`), "hub.mode=subscribe&hub.mode=")
	f.Add([]byte(`{"type":1,"event":{}}`), "hub.verify_token=t&hub.mode=subscribe&hub.challenge=%3A")
	f.Add([]byte(`{"type":0}`), "")
	f.Add([]byte("ssl_check=1&token=a"), "")
	key := Key{Secret: []byte("secret")}
	f.Fuzz(func(t *testing.T, body []byte, query string) {
		check := func(name string, reply *Reply, err error, challenge func(*Reply) string) {
			if err != nil && (reply != nil || reasonOf(err) == "") {
				t.Fatalf("%s: %v %v", name, reply, err)
			}
			if reply != nil && !harmless.MatchString(challenge(reply)) {
				t.Fatalf("%s answers %q", name, reply.Body)
			}
		}
		whole := func(r *Reply) string { return string(r.Body) }
		reply, err := mustGet(t, "slack").Handshake().Signed(key, body)
		if reply == nil || len(reply.Body) > 0 { // only ssl_check is answered with an empty body
			check("slack", reply, err, whole)
		}
		if reply := mustGet(t, "slack").Handshake().Unsigned(body); reply != nil && len(reply.Body) > 0 {
			t.Fatalf("slack answers %q to what is not signed", reply.Body)
		}
		reply, err = mustGet(t, "zoom").Handshake().Signed(key, body)
		check("zoom", reply, err, func(r *Reply) string {
			var answer struct{ PlainToken, EncryptedToken string }
			if err := json.Unmarshal(r.Body, &answer); err != nil || len(answer.EncryptedToken) != 64 {
				t.Fatalf("zoom answers %q: %v", r.Body, err)
			}
			return answer.PlainToken
		})
		reply, err = mustGet(t, "discord").Handshake().Signed(key, body)
		check("discord", reply, err, func(r *Reply) string {
			if string(r.Body) != "" && string(r.Body) != `{"type":1}` {
				t.Fatalf("discord answers %q", r.Body)
			}
			return "fixed"
		})
		values, _ := url.ParseQuery(query)
		reply, err = mustGet(t, "meta").Handshake().Query(values, func(token string) bool { return token == "t" })
		check("meta", reply, err, whole)
		if reply != nil && values.Get("hub.verify_token") != "t" {
			t.Fatal("meta answers without the token")
		}
	})
}
