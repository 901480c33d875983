package module

import (
	"net/http"
	"strings"
	"testing"
)

func TestForgedHeadersNeverPass(t *testing.T) {
	g := newGateway(t, nil, nil)
	forged := with(craneops(body), "Webhook-Verdict", "accepted", "Webhook-Tenant", "evil", "Webhook-Signature", "v1,x",
		"Connection", "close, X-Craneops-Signature, Content-Type", "Upgrade", "websocket", "Content-Type", "application/json")
	expect(t, g.send(t, forged, body), http.StatusNoContent, "")
	h := g.delivered()[0].header
	if h.Get("Webhook-Tenant") != "" || h.Get("Webhook-Signature") != "" || len(h["Webhook-Verdict"]) != 1 || h.Get("Upgrade") != "" {
		t.Errorf("headers %v", h)
	}
	if c := h.Get("Connection"); c != "" && c != "close" {
		t.Errorf("Connection %q", c)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("X-Craneops-Signature") == "" {
		t.Errorf("a header was deleted on the way: %v", h)
	}

	// Refused: handle_errors sees neither the forged header nor the body.
	a := g.send(t, http.Header{"Webhook-Verdict": {"accepted"}}, body)
	expect(t, a, http.StatusUnauthorized, "rejected missing_signature")
	if a.header.Get("X-Forged") != "" || a.header.Get("X-Length") != "0" {
		t.Errorf("handle_errors saw %v", a.header)
	}
}

// TestTunnelsNeverPass checks that tunnels are not passed on: an application
// that accepts one would get unverified bytes. The client of net/http does not
// send these headers, so the test calls the handler directly.
func TestTunnelsNeverPass(t *testing.T) {
	for name, headers := range map[string]http.Header{"accepted": craneops(body), "observed": {}} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, map[string]any{"observe": name == "observed"}, nil)
			h := with(headers, "Upgrade", "h2c", "Http2-Settings", "AAMAAABkAAQAAP__", "Connection", "Upgrade, HTTP2-Settings")
			h[":protocol"] = []string{"websocket"} // as Go's server has it from an extended CONNECT
			asked := false
			g.serve(t, t.Context(), h, body, func(_ http.ResponseWriter, r *http.Request) error {
				asked = true
				for _, tunnel := range []string{"Upgrade", "Http2-Settings", ":protocol", "Connection"} {
					if values, passed := r.Header[tunnel]; passed {
						t.Errorf("%s %q reaches the application", tunnel, values)
					}
				}
				return nil
			})
			if !asked {
				t.Error("it did not reach the application")
			}
		})
	}
}

func TestOurHeadersInAnySpelling(t *testing.T) {
	for name, want := range map[string]bool{
		"Webhook-Id": true, "webhook-id": true, "WEBHOOK-ID": true, "Webhook_id": true, "Webhook.id": true, "Webhook-": true, "Webhook~id": true, "Webhook+Id": true,
		"Webhook": false, "Webhooks-Id": false, "X-Webhook-Signature": false, "": false, "Webhook2": false, "WebhookId": false,
	} {
		if begins(name, "webhook") != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func TestTrailersNeverPass(t *testing.T) {
	for name, header := range map[string]http.Header{"accepted": craneops(body), "refused": {}} {
		g := newGateway(t, nil, nil)
		r := g.request(t, header, nil)
		r.Trailer = http.Header{"Webhook-Verdict": {"accepted"}, "X-Other": {"y"}}
		r.ContentLength = -1
		r.Body = readCloser{strings.NewReader(body)}
		a := g.sendRequest(t, r)
		if name == "refused" {
			expect(t, a, http.StatusUnauthorized, "rejected missing_signature")
			continue
		}
		expect(t, a, http.StatusNoContent, "")
		g.expectDelivered(t, body)
		if h := g.delivered()[0].header; h.Get("Trailer") != "" || h.Get("X-Other") != "" || h.Get("Content-Length") == "" {
			t.Errorf("headers %v", h)
		}
	}
}

func TestHarmlessTokens(t *testing.T) {
	for value, want := range map[string]string{
		"close": "close", "Keep-Alive": "keep-alive", "close, X-A ,keep-alive": "close, keep-alive", "Upgrade": "", "close,close": "close", "": "",
	} {
		if got := harmlessTokens([]string{value}); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
