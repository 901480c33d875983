package module

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/schemes"
)

const body = `{"event":"booking.created","n":1}`

func TestAcceptedDeliveryArrivesUnchanged(t *testing.T) {
	for _, body := range []string{body, "", "\xff\xfe\x00", strings.Repeat("x", 3<<20)} {
		g := newGateway(t, nil, nil)
		a := g.send(t, with(craneops(body), "X-Custom", "kept", "Content-Type", "application/json"), body)
		expect(t, a, http.StatusNoContent, "")
		g.expectDelivered(t, body)
		got := g.delivered()[0]
		if got.uri != "/hook?token=1" || got.header.Get("X-Custom") != "kept" || got.header.Get("X-Craneops-Signature") == "" {
			t.Errorf("request %s %v", got.uri, got.header)
		}
		g.Close()
	}
}

func TestRefusedFromTheHeaders(t *testing.T) {
	for _, c := range []struct {
		name   string
		header http.Header
		reason string
	}{
		{"no signature", http.Header{}, "missing_signature"},
		{"empty signature", http.Header{"X-Craneops-Signature": {""}}, "missing_signature"},
		{"short", http.Header{"X-Craneops-Signature": {"abcd"}}, "malformed_signature"},
		{"twice", http.Header{"X-Craneops-Signature": {"a", "b"}}, "malformed_signature"},
		{"another body's", craneops("x"), "signature_mismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, nil, nil)
			a := g.send(t, c.header, body)
			expect(t, a, http.StatusUnauthorized, "rejected "+c.reason)
			if a.header.Get("X-Message") != "verify_webhook: "+c.reason || a.header.Get("X-Event") == "booking.created" {
				t.Errorf("headers %v", a.header)
			}
			g.expectDelivered(t)
			if g.logs.FilterField(zap.String("reason", c.reason)).Len() != 1 {
				t.Errorf("log %+v", g.logs.All())
			}
		})
	}
}

func TestSignedHeaders(t *testing.T) {
	good := mceasy(testTime, "6", "job-1", body)
	for _, c := range []struct {
		name, header string
		values       []string
		reason       string
	}{
		{"no time", "X-Mceasywebhook-Timestamp", nil, "missing_signed_header"},
		{"no event", "X-Mceasywebhook-Event", nil, "missing_signed_header"},
		{"time with a sign", "X-Mceasywebhook-Timestamp", []string{"+1767323045678"}, "malformed_signed_header"},
		{"two events", "X-Mceasywebhook-Event", []string{"6", "6"}, "malformed_signed_header"},
		{"another event", "X-Mceasywebhook-Event", []string{"7"}, "signature_mismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": "mceasy"}, nil)
			h := good.Clone()
			h[c.header] = c.values
			expect(t, g.send(t, h, body), http.StatusUnauthorized, "rejected "+c.reason)
			g.expectDelivered(t)
		})
	}
}

func TestMethods(t *testing.T) {
	g := newGateway(t, map[string]any{"methods": []string{"POST", "PUT"}}, nil)
	for method, status := range map[string]int{"GET": 405, "DELETE": 405, "PATCH": 405, "PUT": 204} {
		r := g.request(t, craneops(body), strings.NewReader(body))
		r.Method = method
		a := g.sendRequest(t, r)
		if a.status != status {
			t.Errorf("%s: %d, want %d", method, a.status, status)
		}
		if status == 405 && (a.header.Get("Allow") != "POST, PUT" || a.body != "rejected method_not_allowed") {
			t.Errorf("%s: Allow %q, %q", method, a.header.Get("Allow"), a.body)
		}
	}
	g.expectDelivered(t, body)
}

func TestWindowOfSendTimes(t *testing.T) {
	for _, c := range []struct {
		name      string
		tolerance any
		age       time.Duration
		reason    string
	}{
		{"default, fresh", nil, 4 * time.Minute, ""},
		{"default, stale", nil, 6 * time.Minute, "stale"},
		{"default, a little ahead", nil, -4 * time.Minute, ""},
		{"default, future", nil, -6 * time.Minute, "future"},
		{"past alone bounds the future too", map[string]any{"past": "1m"}, -2 * time.Minute, "future"},
		{"the future's default is 5m at most", map[string]any{"past": "4h"}, -6 * time.Minute, "future"},
		{"wide past", map[string]any{"past": "4h"}, 3 * time.Hour, ""},
		{"both", map[string]any{"past": "1m", "future": "1h"}, -30 * time.Minute, ""},
		{"off", map[string]any{"past": -1}, 1000 * time.Hour, ""},
		{"off, ahead", map[string]any{"past": -1}, -1000 * time.Hour, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := map[string]any{"scheme": "cryptr"}
			if c.tolerance != nil {
				options["tolerance"] = c.tolerance
			}
			g := newGateway(t, options, nil)
			a := g.send(t, cryptr(testTime.Add(-c.age), body), body)
			if c.reason == "" {
				expect(t, a, http.StatusNoContent, "")
				g.expectDelivered(t, body)
				return
			}
			expect(t, a, http.StatusUnauthorized, "rejected "+c.reason)
			g.expectDelivered(t)
			// A rejected authentic delivery must be logged with its age.
			entries := g.logs.FilterField(zap.String("reason", c.reason)).All()
			if len(entries) != 1 || entries[0].Level.String() != "warn" || entries[0].ContextMap()["age"] == nil {
				t.Errorf("log %+v", entries)
			}
			if a.header.Get("X-Age") == "" || a.header.Get("X-Sent-At") == "" || a.header.Get("X-Id") == "" {
				t.Errorf("placeholders %v", a.header)
			}
		})
	}
}

func TestEasytoolsTime(t *testing.T) {
	timed := func(at time.Time) string {
		return `{"event":"product_assigned","timestamp":` + formatSeconds(at) + `}`
	}
	for _, c := range []struct {
		name      string
		tolerance any
		body      string
		reason    string
	}{
		{"not asked for", nil, timed(testTime.Add(-1000 * time.Hour)), ""},
		{"fresh", map[string]any{"past": "24h"}, timed(testTime.Add(-time.Hour)), ""},
		{"stale", map[string]any{"past": "24h"}, timed(testTime.Add(-25 * time.Hour)), "stale"},
		{"future", map[string]any{"past": "24h"}, timed(testTime.Add(time.Hour)), "future"},
		{"no time", map[string]any{"past": "24h"}, `{"event":"product_assigned"}`, "no_signed_time"},
		{"two times", map[string]any{"past": "24h"}, `{"timestamp":` + formatSeconds(testTime) + `,"timestamp":1}`, "no_signed_time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := map[string]any{"scheme": "easytools"}
			if c.tolerance != nil {
				options["tolerance"] = c.tolerance
			}
			g := newGateway(t, options, nil)
			a := g.send(t, easytools(c.body), c.body)
			if c.reason != "" {
				expect(t, a, http.StatusUnauthorized, "rejected "+c.reason)
				g.expectDelivered(t)
				return
			}
			expect(t, a, http.StatusNoContent, "")
			g.expectDelivered(t, c.body)
			if h := g.delivered()[0].header; h.Get("Webhook-Sent-At") != "" || h.Get("Webhook-Occurred-At") == "" {
				t.Errorf("headers %v", h)
			}
		})
	}
}

func TestHeadersForTheApplication(t *testing.T) {
	for _, c := range []struct {
		scheme string
		header http.Header
		body   string
		want   map[string]string
	}{
		{"craneops", with(craneops(body), "X-Craneops-Event", "booking.cancelled"), body, map[string]string{
			"Webhook-Verdict": "accepted", "Webhook-Provider": "label", "Webhook-Event": "booking.created",
			"Webhook-Unsigned-Event": "booking.cancelled",
		}},
		{"easytools", easytools(`{"event":"e","timestamp":1741442518}`), `{"event":"e","timestamp":1741442518}`, map[string]string{
			"Webhook-Verdict": "accepted", "Webhook-Provider": "label", "Webhook-Event": "e",
			"Webhook-Occurred-At": "2025-03-08T14:01:58Z",
		}},
		{"mceasy", mceasy(testTime, "10", "job-1", `{"event_type":"Alarm","event_name":"Harsh Braking"}`), `{"event_type":"Alarm","event_name":"Harsh Braking"}`, map[string]string{
			"Webhook-Verdict": "accepted", "Webhook-Provider": "label", "Webhook-Event": "alarm.harsh_braking",
			"Webhook-Sent-At": "2026-01-02T03:04:05.678Z", "Webhook-Occurrence-Id": "job-1",
		}},
		{"cryptr", cryptr(testTime, `{"code":"c.d","issued_at":"2023-06-06T10:49:33.075265+02:00","__domain__":"acme","__environment__":"sandbox"}`), `{"code":"c.d","issued_at":"2023-06-06T10:49:33.075265+02:00","__domain__":"acme","__environment__":"sandbox"}`, map[string]string{
			"Webhook-Verdict": "accepted", "Webhook-Provider": "label", "Webhook-Event": "c.d",
			"Webhook-Sent-At": "2026-01-02T03:04:05.000Z", "Webhook-Occurred-At": "2023-06-06T08:49:33.075265Z",
			"Webhook-Tenant": "acme", "Webhook-Environment": "sandbox",
		}},
		{"cryptr", cryptr(testTime, "not json"), "not json", map[string]string{
			"Webhook-Verdict": "accepted", "Webhook-Provider": "label", "Webhook-Sent-At": "2026-01-02T03:04:05.000Z",
		}},
		{"craneops", craneops(`{"event":"a\nb"}`), `{"event":"a\nb"}`, map[string]string{
			"Webhook-Verdict": "accepted", "Webhook-Provider": "label",
		}},
	} {
		t.Run(c.scheme+" "+c.body, func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": c.scheme, "provider": "label"}, nil)
			expect(t, g.send(t, c.header, c.body), http.StatusNoContent, "")
			h := g.delivered()[0].header
			for name, values := range h {
				if !strings.HasPrefix(name, "Webhook-") || name == "Webhook-Id" {
					continue
				}
				if len(values) != 1 || values[0] != c.want[name] {
					t.Errorf("%s %q, want %q", name, values, c.want[name])
				}
				delete(c.want, name)
			}
			if len(c.want) != 0 {
				t.Errorf("missing %v", c.want)
			}
			if id := h.Get("Webhook-Id"); !strings.HasPrefix(id, "sha256-") || len(id) != len("sha256-")+32 {
				t.Errorf("id %q", id)
			}
		})
	}
}

func TestWhatFits(t *testing.T) {
	for value, want := range map[string]string{
		"paid": "paid", "": "", "a b": "a b", "caf\u00e9": "caf\u00e9", " a": "", "a ": "", "a\tb": "", "a\u0085b": "", "a\x7fb": "", "\xff": "",
		strings.Repeat("x", 256): strings.Repeat("x", 256), strings.Repeat("x", 257): "",
	} {
		if got := fit(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestSecondSecretMatches(t *testing.T) {
	g := newGateway(t, map[string]any{"secrets": []string{"bmV3", testSecret}}, func(w http.ResponseWriter, r *http.Request) error {
		return caddyhttp.Error(http.StatusTeapot, errors.New("to see the placeholders"))
	})
	a := g.send(t, craneops(body), body)
	expect(t, a, http.StatusTeapot, "accepted no_answer")
	if a.header.Get("X-Key") != "2" || a.header.Get("X-Event") != "booking.created" || a.header.Get("X-Message") != "to see the placeholders" {
		t.Errorf("placeholders %v", a.header)
	}
}

// A scheme that signs every part of a request.
func init() {
	schemes.Define("test-request", schemes.Definition{
		Signature: schemes.SignatureForm{Header: "X-Request-Signature"},
		Signed:    "{method}\n{url}\n{body}",
	})
}

func TestSignedURL(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "test-request"}, nil)
	sign := func(method, url, body string) http.Header {
		return http.Header{"X-Request-Signature": {fmt.Sprintf("%x", macUnder([]byte(testSecret), method, "\n", url, "\n", body))}}
	}
	expect(t, g.send(t, sign("POST", g.URL+"/hook?token=1", body), body), http.StatusNoContent, "")
	g.expectDelivered(t, body)
	expect(t, g.send(t, sign("POST", g.URL+"/hook?token=1", body), body), http.StatusOK, "")
	for name, header := range map[string]http.Header{
		"another query":  sign("POST", g.URL+"/hook?token=2", body),
		"another method": sign("PUT", g.URL+"/hook?token=1", body),
		"another scheme": sign("POST", "https"+g.URL[len("http"):]+"/hook?token=1", body),
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, g.send(t, header, body), http.StatusUnauthorized, "rejected signature_mismatch")
		})
	}
}

// TestPublicURL checks that the signed URL is the one before the proxy,
// including the prefix that the proxy removes from the path.
func TestPublicURL(t *testing.T) {
	for public, begins := range map[string]string{
		"https://hooks.example.com":          "https://hooks.example.com",
		"https://hooks.example.com/":         "https://hooks.example.com",
		"https://Hooks.example.com:443/in/%": "",
		"http://10.0.0.1:8080/a%2Fb/c":       "http://10.0.0.1:8080/a%2Fb/c",
		"https://Hooks.example.com:443/in/":  "https://Hooks.example.com:443/in",
		"https://[2001:db8::1]:8443":         "https://[2001:db8::1]:8443",
	} {
		t.Run(public, func(t *testing.T) {
			if begins == "" {
				if _, err := schemes.ParsePublicURL(public); err == nil {
					t.Error("is taken")
				}
				return
			}
			g := newGateway(t, map[string]any{"scheme": "test-request", "public_url": public}, nil)
			sign := func(url string) http.Header {
				return http.Header{
					"X-Request-Signature": {fmt.Sprintf("%x", macUnder([]byte(testSecret), "POST\n", url, "\n", body))},
					"X-Forwarded-Proto":   {"https"}, "X-Forwarded-Host": {"other.example.com"},
				}
			}
			expect(t, g.send(t, sign(g.URL+"/hook?token=1"), body), http.StatusUnauthorized, "rejected signature_mismatch")
			expect(t, g.send(t, sign("https://other.example.com/hook?token=1"), body), http.StatusUnauthorized, "rejected signature_mismatch")
			expect(t, g.send(t, sign(begins+"/hook?token=1"), body), http.StatusNoContent, "")
			g.expectDelivered(t, body)
			if got := g.delivered()[0]; got.uri != "/hook?token=1" {
				t.Errorf("the application was asked for %s", got.uri)
			}
		})
	}
}

// TestForwardedHeadersDoNotCount checks that X-Forwarded headers are ignored,
// even from a trusted proxy: most proxies pass on an X-Forwarded-Host that the
// sender has written.
func TestForwardedHeadersDoNotCount(t *testing.T) {
	scheme, _ := schemes.Get("test-request")
	h := &Handler{scheme: scheme}
	r := httptest.NewRequest(http.MethodPost, "http://example.com/a", nil)
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
	caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-Host", "other.example.com")
	if got := h.received(r); got.URL() != "http://example.com/a" {
		t.Errorf("%+v", got)
	}
}

// TestMismatchOfAURLSaysSo checks that the log says that the URL may be wrong,
// and what to compare.
func TestMismatchOfAURLSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		options map[string]any
		header  string
		hint    string
	}{
		"the URL is signed":     {map[string]any{"scheme": "test-request"}, "X-Request-Signature", "write public_url"},
		"public_url is written": {map[string]any{"scheme": "test-request", "public_url": "https://a"}, "X-Request-Signature", "compare the one that the provider has with public_url"},
		"it is not signed":      {nil, "X-Craneops-Signature", "none of the configured secrets produces this signature for this body"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, c.options, nil)
			g.send(t, http.Header{c.header: {fmt.Sprintf("%064x", 1)}}, body)
			entries := g.logs.FilterMessage("delivery rejected: signature_mismatch").All()
			if len(entries) != 1 {
				t.Fatalf("log %v", g.logs.All())
			}
			detail, _ := entries[0].ContextMap()["detail"].(string)
			if _, aboutURL, _ := strings.Cut(detail, "; "); !strings.Contains(detail, c.hint) || c.options == nil && aboutURL != "" {
				t.Errorf("detail %q", detail)
			}
		})
	}
}

// TestReceivedIsAsItWasSent checks that the scheme gets the request as it was
// sent, even if a handler before this one has rewritten it.
func TestReceivedIsAsItWasSent(t *testing.T) {
	scheme, _ := schemes.Get("test-request")
	h := &Handler{scheme: scheme}
	for target, want := range map[string]schemes.Request{
		"/a%2Fb?c=%20&d":          {Method: "POST", Scheme: "http", Host: "example.com", URI: "/a%2Fb?c=%20&d"},
		"https://example.com/a?b": {Method: "POST", Scheme: "https", Host: "example.com", URI: "/a?b"},
		"http://example.com:81":   {Method: "POST", Scheme: "http", Host: "example.com:81", URI: "/"},
	} {
		r := httptest.NewRequest(http.MethodPost, target, nil)
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
		r.Method, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.RequestURI = "PUT", "/other", "", "x", "/other?x"
		got := h.received(r)
		if got.Method != want.Method || got.Scheme != want.Scheme || got.Host != want.Host || got.URI != want.URI {
			t.Errorf("%s: %+v", target, got)
		}
	}
}

// TestTargetWithoutASlash checks a target without a leading slash. Nothing
// would separate it from the host in the signed text, so a sender could move
// characters from one to the other.
func TestTargetWithoutASlash(t *testing.T) {
	for _, options := range []map[string]any{
		{"scheme": "test-request"},
		{"scheme": "test-request", "public_url": "https://pub.example/in"},
		{"scheme": "twilio"},
	} {
		g := newGateway(t, options, nil)
		for _, target := range []string{"x:box/other", "*"} {
			for _, cut := range []string{"http://test" + target, "http://testbox/other", "https://pub.example/inbox/other"} {
				header := fmt.Sprintf("X-Request-Signature: %x\r\n", macUnder([]byte(testSecret), "POST\n", cut, "\n"))
				if options["scheme"] == "twilio" {
					mac := hmac.New(sha1.New, []byte(testSecret))
					mac.Write([]byte(cut))
					header = "X-Twilio-Signature: " + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + "\r\n"
				}
				_, answer := g.raw(t, "POST "+target+" HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n"+header+"\r\n")
				res, err := http.ReadResponse(answer, nil)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusBadRequest {
					t.Errorf("%v, %s as %s: %d", options, target, cut, res.StatusCode)
				}
			}
		}
		g.expectDelivered(t)
	}
}
