package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

const (
	slackSecret = "e2e-canary-slack-6Yh2Kd9P"
	zoomSecret  = "e2e-canary-zoom-3Vb8Nw1Q"
	metaSecret  = "e2e-canary-meta-7Rt4Jm5X"
	verifyToken = "e2e-canary-verify-token-2Lq9Zc6F"
)

// v0 signs as Slack and Zoom do.
func v0(path, signature, timestamp, secret, body string, at time.Time) harness.Delivery {
	t := harness.Unix(at)
	return harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte(body), Headers: []harness.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: timestamp, Value: t},
		{Name: signature, Value: "v0=" + harness.HexMAC(secret, "v0:", t, ":", body)},
	}}
}

// TestHandshakes: the gateway answers the requests that providers send before
// they deliver anything, and the application never sees them.
func TestHandshakes(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Route("/slack", harness.Verify("slack", "SLACK_SECRET", "handshake"), "reverse_proxy "+app.Addr),
		harness.Route("/zoom", harness.Verify("zoom", "ZOOM_SECRET", "handshake"), "reverse_proxy "+app.Addr),
		harness.Route("/meta", harness.Verify("meta", "META_SECRET", "handshake {env.META_VERIFY_TOKEN}"), "reverse_proxy "+app.Addr),
		harness.Route("/slack-off", harness.Verify("slack", "SLACK_SECRET", "provider slack-off"), "reverse_proxy "+app.Addr),
		harness.Route("/off", harness.Verify("meta", "META_SECRET", "provider off"), "reverse_proxy "+app.Addr),
	), "SLACK_SECRET="+slackSecret, "ZOOM_SECRET="+zoomSecret, "META_SECRET="+metaSecret, "META_VERIFY_TOKEN="+verifyToken)

	slack := func(body string) harness.Delivery {
		return v0("/slack", "X-Slack-Signature", "X-Slack-Request-Timestamp", slackSecret, body, time.Now())
	}
	zoom := func(body string) harness.Delivery {
		return v0("/zoom", "x-zm-signature", "x-zm-request-timestamp", zoomSecret, body, time.Now())
	}
	meta := func(path, token string) harness.Delivery {
		return harness.Delivery{Method: http.MethodGet, Path: path + "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=" + token}
	}
	answered := func(a harness.Answer, contentType, body string) {
		t.Helper()
		if a.Status != http.StatusOK || string(a.Body) != body || a.Header.Get("Content-Type") != contentType {
			t.Errorf("answered %d %s %q, not %s %q", a.Status, a.Header.Get("Content-Type"), a.Body, contentType, body)
		}
		if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Verdict() != "" {
			t.Errorf("headers %v", a.Header)
		}
	}
	const challenge, token = `{"token":"t","challenge":"3eZbrw1aBm2r","type":"url_verification"}`, "qgg8vlvZRS6UYooatFL8Aw"
	validation := strings.Replace(`{"payload":{"plainToken":"TOKEN"},"event":"endpoint.url_validation"}`, "TOKEN", token, 1)

	answered(g.Send(t, slack(challenge)), "text/plain; charset=utf-8", "3eZbrw1aBm2r")
	answered(g.Send(t, slack(challenge)), "text/plain; charset=utf-8", "3eZbrw1aBm2r")
	answered(g.Send(t, zoom(validation)), "application/json",
		`{"plainToken":"`+token+`","encryptedToken":"`+harness.HexMAC(zoomSecret, token)+`"}`)
	answered(g.Send(t, meta("/meta", verifyToken)), "text/plain; charset=utf-8", "1158201444")

	sslCheck := func(path, body string) harness.Delivery {
		return harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte(body), Headers: []harness.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}}
	}
	answered(g.Send(t, sslCheck("/slack", "ssl_check=1&token=xxx")), "text/plain; charset=utf-8", "")

	for _, d := range []harness.Delivery{
		sslCheck("/slack", "ssl_check=1&token=xxx&command=%2Fpay"), sslCheck("/slack", "ssl_check=true"), sslCheck("/slack-off", "ssl_check=1&token=xxx"),
		sslCheck("/zoom", "ssl_check=1&token=xxx"), sslCheck("/slack", challenge), sslCheck("/zoom", validation), sslCheck("/meta", "ssl_check=1"),
	} {
		g.Send(t, d).Rejected(t, "missing_signature")
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} { // no built-in provider sends these
		for _, path := range []string{"/slack", "/zoom", "/meta", "/off"} {
			if a := g.Send(t, harness.Delivery{Method: method, Path: path + "?challenge=a&ssl_check=1"}); a.Status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: %d", method, path, a.Status)
			}
		}
	}

	g.Send(t, slack(challenge).Saying([]byte(strings.Replace(challenge, "3eZ", "4eZ", 1)))).Rejected(t, "signature_mismatch")
	g.Send(t, zoom(validation).Without("x-zm-signature")).Rejected(t, "missing_signature")
	// The answer would be the signature of a delivery.
	g.Send(t, zoom(strings.Replace(validation, token, "v0:1654503849:{}", 1))).Rejected(t, "malformed_signature")
	g.Send(t, meta("/meta", "wrong")).Rejected(t, "signature_mismatch")
	g.Send(t, meta("/off", verifyToken)).Rejected(t, "method_not_allowed")
	if n := app.Arrivals(); n != 0 {
		t.Fatalf("%d handshakes reached the application", n)
	}

	// The token is in the query, which Caddy's own log contains unless it is
	// filtered.
	if e, found := g.Log.Find(func(e harness.Entry) bool {
		return e.Text("logger") == "http.handlers.verify_webhook" && strings.Contains(fmt.Sprint(e), verifyToken)
	}); found {
		t.Errorf("the log says %v", e)
	}
	if _, found := g.Log.Find(func(e harness.Entry) bool {
		return e.Text("msg") == "handshake answered" && e.Text("provider") == "meta"
	}); !found {
		t.Error("the log says nothing of Meta's handshake")
	}

	d := slack(`{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}`)
	g.Send(t, d).Accepted(t)
	g.Send(t, d).Duplicate(t)
	if got := app.With("/slack"); len(got) != 1 || got[0].Header.Get("Webhook-Event") != "message" {
		t.Errorf("%d deliveries", len(got))
	} else {
		got[0].Carries(t, d)
	}
}
