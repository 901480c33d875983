package module

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

const (
	zoomChallenge  = `{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event":"endpoint.url_validation"}`
	slackChallenge = `{"type":"url_verification","challenge":"3eZbrw1aBm2r"}`
)

// signedV0 signs as Slack and Zoom do.
func signedV0(prefix string, at time.Time, body string) http.Header {
	seconds := formatSeconds(at)
	header := map[string][2]string{
		"zoom":  {"X-Zm-Signature", "X-Zm-Request-Timestamp"},
		"slack": {"X-Slack-Signature", "X-Slack-Request-Timestamp"},
	}[prefix]
	return http.Header{
		header[0]: {"v0=" + hex.EncodeToString(macUnder([]byte(testSecret), "v0:", seconds, ":", body))},
		header[1]: {seconds},
	}
}

// expectHandshake checks the answer to a handshake, and that the application,
// the history and the count of requests have no trace of it.
func (g *gateway) expectHandshake(t *testing.T, a answerOf, status int, contentType, body string) {
	t.Helper()
	expect(t, a, status, body)
	if a.header.Get("Content-Type") != contentType || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", a.header)
	}
	if got := g.delivered(); len(got) != 0 {
		t.Errorf("reached the application: %v", got)
	}
	for name, n := range g.metrics(t) {
		if (strings.HasPrefix(name, "requests_total") || strings.HasPrefix(name, "replay_entries")) && n != 0 {
			t.Errorf("%s is %v", name, n)
		}
	}
	if g.logs.FilterMessage("handshake answered").FilterField(zap.String("provider", g.handler.Provider)).Len() == 0 {
		t.Errorf("log %v", g.logs.All())
	}
}

// asking returns options with the handshake of a scheme.
func asking(scheme string, more ...string) options {
	handshake := options{}
	if len(more) > 0 {
		handshake["verify_tokens"] = more
	}
	return options{"scheme": scheme, "handshake": handshake}
}

func TestSignedHandshake(t *testing.T) {
	zoomAnswer := fmt.Sprintf(`{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"%x"}`, macUnder([]byte(testSecret), "qgg8vlvZRS6UYooatFL8Aw"))
	for scheme, c := range map[string]struct{ challenge, contentType, answer, bad string }{
		"zoom":  {zoomChallenge, "application/json", zoomAnswer, `{"payload":{"plainToken":"v0:1:x"},"event":"endpoint.url_validation"}`},
		"slack": {slackChallenge, "text/plain; charset=utf-8", "3eZbrw1aBm2r", `{"type":"url_verification","challenge":"<b>"}`},
	} {
		t.Run(scheme, func(t *testing.T) {
			g := newGateway(t, asking(scheme), nil)
			for range 2 { // asking again is no duplicate
				g.expectHandshake(t, g.send(t, signedV0(scheme, testTime, c.challenge), c.challenge), http.StatusOK, c.contentType, c.answer)
			}
			expect(t, g.send(t, http.Header{}, c.challenge), http.StatusUnauthorized, "rejected missing_signature")
			expect(t, g.send(t, signedV0(scheme, testTime, c.challenge+" "), c.challenge), http.StatusUnauthorized, "rejected signature_mismatch")
			expect(t, g.send(t, signedV0(scheme, testTime.Add(-time.Hour), c.challenge), c.challenge), http.StatusUnauthorized, "rejected stale")
			expect(t, g.send(t, signedV0(scheme, testTime, c.bad), c.bad), http.StatusUnauthorized, "rejected malformed_signature")
			if len(g.delivered()) != 0 {
				t.Error("a handshake reached the application")
			}
			expect(t, g.send(t, signedV0(scheme, testTime, body), body), http.StatusNoContent, "")
			g.expectDelivered(t, body)
		})
	}
}

// TestHandshakeIsOffByDefault checks that the application gets a handshake like
// any delivery.
func TestHandshakeIsOffByDefault(t *testing.T) {
	g := newGateway(t, options{"scheme": "zoom"}, nil)
	expect(t, g.send(t, signedV0("zoom", testTime, zoomChallenge), zoomChallenge), http.StatusNoContent, "")
	g.expectDelivered(t, zoomChallenge)
}

// TestHandshakeBeforeMethods checks that a handshake may come with POST
// although deliveries may not.
func TestHandshakeBeforeMethods(t *testing.T) {
	o := asking("slack")
	o["methods"] = []string{"PUT"}
	g := newGateway(t, o, nil)
	g.expectHandshake(t, g.send(t, signedV0("slack", testTime, slackChallenge), slackChallenge), http.StatusOK, "text/plain; charset=utf-8", "3eZbrw1aBm2r")
	a := g.send(t, signedV0("slack", testTime, body), body)
	expect(t, a, http.StatusMethodNotAllowed, "rejected method_not_allowed")
	if a.header.Get("Allow") != "PUT" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	if len(g.delivered()) != 0 {
		t.Error("a POST reached the application")
	}
}

func TestDiscordHandshake(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := asking("discord")
	o["secrets"] = []string{hex.EncodeToString(public)}
	g := newGateway(t, o, nil)
	sign := func(body string) http.Header {
		at := formatSeconds(testTime)
		return http.Header{
			"X-Signature-Ed25519":   {hex.EncodeToString(ed25519.Sign(private, []byte(at+body)))},
			"X-Signature-Timestamp": {at},
		}
	}
	const ping, webhookPing, event = `{"id":"1","token":"t","type":1}`, `{"version":1,"type":0}`, `{"version":1,"type":1,"event":{"type":"ENTITLEMENT_CREATE"}}`
	g.expectHandshake(t, g.send(t, sign(ping), ping), http.StatusOK, "application/json", `{"type":1}`)
	g.expectHandshake(t, g.send(t, sign(webhookPing), webhookPing), http.StatusNoContent, "application/json", "")
	expect(t, g.send(t, sign("other"), ping), http.StatusUnauthorized, "rejected signature_mismatch")
	expect(t, g.send(t, sign(event), event), http.StatusNoContent, "")
	g.expectDelivered(t, event)
}

func TestQueryHandshake(t *testing.T) {
	t.Setenv("HOOKLATCH_TEST_CANARY", configCanary)
	const ask = "?token=1&hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
	get := func(g *gateway, query string) answerOf {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+"/hook"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		return g.sendRequest(t, r)
	}
	g := newGateway(t, asking("meta", "{env.HOOKLATCH_TEST_CANARY}", "older"), nil)
	g.expectHandshake(t, get(g, ask+"Canary5ecret%3D"), http.StatusOK, "text/plain; charset=utf-8", "1158201444")
	g.expectHandshake(t, get(g, ask+"older"), http.StatusOK, "text/plain; charset=utf-8", "1158201444")
	expect(t, get(g, ask+"wrong"), http.StatusUnauthorized, "rejected signature_mismatch")
	expect(t, get(g, ask+"older&hub.verify_token=older"), http.StatusUnauthorized, "rejected malformed_signature")
	expect(t, get(g, "?hub.challenge=1"), http.StatusMethodNotAllowed, "rejected method_not_allowed")
	expect(t, g.send(t, http.Header{}, "{}"), http.StatusUnauthorized, "rejected missing_signature")
	if len(g.delivered()) != 0 {
		t.Error("something reached the application")
	}
	for _, entry := range g.logs.All() {
		if text := fmt.Sprint(entry.ContextMap(), entry.Message); strings.Contains(text, configCanary) || strings.Contains(text, "1158201444") {
			t.Errorf("the log says %s", text)
		}
	}

	off := newGateway(t, options{"scheme": "meta"}, nil)
	expect(t, get(off, ask+"older"), http.StatusMethodNotAllowed, "rejected method_not_allowed")
}

const sslCheck = "ssl_check=1&token=xxx"

// TestUnsignedHandshake checks Slack's ssl_check (slackapi/bolt-js#1397,
// #2899).
func TestUnsignedHandshake(t *testing.T) {
	g := newGateway(t, asking("slack"), nil)
	for _, check := range []string{sslCheck, "token=xxx&ssl_check=1", "ssl_check=1"} {
		g.expectHandshake(t, g.send(t, http.Header{}, check), http.StatusOK, "text/plain; charset=utf-8", "")
	}
	g.expectHandshake(t, g.send(t, signedV0("slack", testTime, sslCheck), sslCheck), http.StatusOK, "text/plain; charset=utf-8", "")
	answers := map[string]bool{}
	for name, body := range map[string]string{
		"a command":            sslCheck + "&command=%2Fpay",
		"a payload":            sslCheck + "&payload=%7B%7D",
		"another value":        "ssl_check=0&token=xxx",
		"twice":                "ssl_check=1&ssl_check=1",
		"no value":             "ssl_check&token=xxx",
		"no check":             "token=xxx",
		"spelled otherwise":    "ssl%5Fcheck=1&token=xxx",
		"an empty field":       sslCheck + "&",
		"a challenge":          slackChallenge,
		"more than it can be":  "ssl_check=1&token=" + strings.Repeat("x", 1<<10),
		"JSON":                 `{"ssl_check":1}`,
		"nothing":              "",
		"a field after a line": sslCheck + "\n&command=x",
	} {
		a := g.send(t, http.Header{}, body)
		expect(t, a, http.StatusUnauthorized, "rejected missing_signature")
		if name != "nothing" {
			answers[fmt.Sprint(a.status, a.body, a.header["Content-Type"])] = true
		}
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
	// With a signature, the request is judged by the signature.
	expect(t, g.send(t, signedV0("slack", testTime, "other"), sslCheck), http.StatusUnauthorized, "rejected signature_mismatch")
	expect(t, g.send(t, http.Header{"X-Slack-Signature": {"v0=1"}}, sslCheck), http.StatusUnauthorized, "rejected malformed_signature")
	expect(t, g.sendRequest(t, g.request(t, http.Header{}, readCloser{strings.NewReader(sslCheck)})), http.StatusUnauthorized, "rejected missing_signature")
	if len(g.delivered()) != 0 {
		t.Error("something reached the application")
	}
	expectNothingBuffered(t)

	for _, o := range []options{{"scheme": "slack"}, asking("zoom")} {
		other := newGateway(t, o, nil)
		expect(t, other.send(t, http.Header{}, sslCheck), http.StatusUnauthorized, "rejected missing_signature")
	}
}

// TestObservedUnsigned checks that the body that was read from a request that
// is no handshake still reaches the application.
func TestObservedUnsigned(t *testing.T) {
	g := newGateway(t, observing(asking("slack")), nil)
	g.expectHandshake(t, g.send(t, http.Header{}, sslCheck), http.StatusOK, "text/plain; charset=utf-8", "")
	for n, body := range []string{sslCheck + "&command=x", "", strings.Repeat("x", 1<<10), strings.Repeat("x", 1<<10+1)} {
		expect(t, g.send(t, http.Header{}, body), http.StatusNoContent, "")
		g.expectObserved(t, "missing_signature")
		if got := g.delivered(); len(got) != n+1 || got[n].body != body {
			t.Errorf("delivered %v", got)
		}
	}
}

// TestUnsignedThatEnds checks that a request whose body breaks off is still
// rejected for its missing signature.
func TestUnsignedThatEnds(t *testing.T) {
	g := newGateway(t, asking("slack"), nil)
	r := httptest.NewRequest(http.MethodPost, "/hook", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(sslCheck))))
	r.ContentLength = int64(len(sslCheck))
	w := httptest.NewRecorder()
	err := g.handler.ServeHTTP(w, r, nil)
	expectError(t, err, "missing_signature")
	expectNothingBuffered(t)
}

// TestObservedHandshake checks that a handshake is also answered with observe,
// and that a rejected one is passed on, as every request is.
func TestObservedHandshake(t *testing.T) {
	g := newGateway(t, observing(asking("slack")), nil)
	g.expectHandshake(t, g.send(t, signedV0("slack", testTime, slackChallenge), slackChallenge), http.StatusOK, "text/plain; charset=utf-8", "3eZbrw1aBm2r")
	expect(t, g.send(t, signedV0("slack", testTime, "other"), slackChallenge), http.StatusNoContent, "")
	g.expectObserved(t, "signature_mismatch")
}

func TestErrorsOfAHandshake(t *testing.T) {
	for name, c := range map[string]struct {
		options options
		want    []string
	}{
		"there is none":     {asking("github"), []string{"handshake: github has none", "discord, meta, slack, zoom"}},
		"no token":          {asking("meta"), []string{"handshake: meta sends the verify token", "{env.VERIFY_TOKEN}"}},
		"a token too many":  {asking("slack", configCanary), []string{"write handshake alone"}},
		"empty token":       {asking("meta", configCanary, ""), []string{"handshake: verify token 2 is empty"}},
		"of the command":    {asking("meta", "env:TOKEN"), []string{"handshake: verify token 1", "write {env.NAME}"}},
		"unset placeholder": {asking("meta", "{env.HOOKLATCH_TEST_UNSET}"), []string{"handshake: ", "is not there or empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			expectError(t, caddy.Validate(configOf(t, c.options)), c.want...)
		})
	}
}
