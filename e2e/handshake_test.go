package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const (
	slackSecret = "e2e-canary-slack-6Yh2Kd9P"
	zoomSecret  = "e2e-canary-zoom-3Vb8Nw1Q"
	metaSecret  = "e2e-canary-meta-7Rt4Jm5X"
	verifyToken = "e2e-canary-verify-token-2Lq9Zc6F"
)

// v0 signs as Slack and Zoom do.
func v0(path, signature, timestamp, secret, body string, at time.Time) delivery {
	t := unix(at)
	return delivery{method: http.MethodPost, path: path, body: []byte(body), headers: []header{
		{"Content-Type", "application/json"},
		{timestamp, t},
		{signature, "v0=" + hexMAC(secret, "v0:", t, ":", body)},
	}}
}

// TestHandshakes are what providers ask before they deliver anything: answered
// at the edge, and never by the application.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(
		route("/slack", verify("slack", "SLACK_SECRET", "handshake"), "reverse_proxy "+app.addr),
		route("/zoom", verify("zoom", "ZOOM_SECRET", "handshake"), "reverse_proxy "+app.addr),
		route("/meta", verify("meta", "META_SECRET", "handshake {env.META_VERIFY_TOKEN}"), "reverse_proxy "+app.addr),
		route("/off", verify("meta", "META_SECRET", "provider off"), "reverse_proxy "+app.addr),
	), "SLACK_SECRET="+slackSecret, "ZOOM_SECRET="+zoomSecret, "META_SECRET="+metaSecret, "META_VERIFY_TOKEN="+verifyToken)

	slack := func(body string) delivery {
		return v0("/slack", "X-Slack-Signature", "X-Slack-Request-Timestamp", slackSecret, body, time.Now())
	}
	zoom := func(body string) delivery {
		return v0("/zoom", "x-zm-signature", "x-zm-request-timestamp", zoomSecret, body, time.Now())
	}
	meta := func(path, token string) delivery {
		return delivery{method: http.MethodGet, path: path + "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=" + token}
	}
	answered := func(a answer, contentType, body string) {
		t.Helper()
		if a.status != http.StatusOK || string(a.body) != body || a.header.Get("Content-Type") != contentType {
			t.Errorf("answered %d %s %q, not %s %q", a.status, a.header.Get("Content-Type"), a.body, contentType, body)
		}
		if a.header.Get("X-Content-Type-Options") != "nosniff" || a.verdict() != "" {
			t.Errorf("headers %v", a.header)
		}
	}
	const challenge, token = `{"token":"t","challenge":"3eZbrw1aBm2r","type":"url_verification"}`, "qgg8vlvZRS6UYooatFL8Aw"
	validation := strings.Replace(`{"payload":{"plainToken":"TOKEN"},"event":"endpoint.url_validation"}`, "TOKEN", token, 1)

	answered(g.send(t, slack(challenge)), "text/plain; charset=utf-8", "3eZbrw1aBm2r")
	answered(g.send(t, slack(challenge)), "text/plain; charset=utf-8", "3eZbrw1aBm2r")
	answered(g.send(t, zoom(validation)), "application/json",
		`{"plainToken":"`+token+`","encryptedToken":"`+hexMAC(zoomSecret, token)+`"}`)
	answered(g.send(t, meta("/meta", verifyToken)), "text/plain; charset=utf-8", "1158201444")

	g.send(t, slack(challenge).saying([]byte(strings.Replace(challenge, "3eZ", "4eZ", 1)))).rejected(t, "signature_mismatch")
	g.send(t, zoom(validation).without("x-zm-signature")).rejected(t, "missing_signature")
	// It would be the signature of a delivery.
	g.send(t, zoom(strings.Replace(validation, token, "v0:1654503849:{}", 1))).rejected(t, "malformed_signature")
	g.send(t, meta("/meta", "wrong")).rejected(t, "signature_mismatch")
	g.send(t, meta("/off", verifyToken)).rejected(t, "method_not_allowed")
	if n := app.arrivals(); n != 0 {
		t.Fatalf("%d handshakes reached the application", n)
	}

	// The token is in the query, which Caddy's own log has unless it is filtered.
	if e, found := g.log.find(func(e entry) bool {
		return e.text("logger") == "http.handlers.verify_webhook" && strings.Contains(fmt.Sprint(e), verifyToken)
	}); found {
		t.Errorf("the log says %v", e)
	}
	if _, found := g.log.find(func(e entry) bool { return e.text("msg") == "handshake answered" && e.text("provider") == "meta" }); !found {
		t.Error("the log says nothing of Meta's handshake")
	}

	d := slack(`{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}`)
	g.send(t, d).accepted(t)
	g.send(t, d).duplicate(t)
	if got := app.with("/slack"); len(got) != 1 || got[0].header.Get("Webhook-Event") != "message" {
		t.Errorf("%d deliveries", len(got))
	} else {
		got[0].carries(t, d)
	}
}
