package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

const (
	casesSecret   = "e2e-canary-cases-5Kf8Tz3M"
	casesToken    = "e2e-canary-cases-token-2Bn6Xq"
	dollarSecret  = "e2e-canary-$K-4Wq7"
	specialSecret = `e2e-canary {a} $b "c" 'd' =e \f #g %41`
)

// reportedCase is a row of the project's collection of public reports and
// providers' documentation, with the right result at a gateway.
type reportedCase struct {
	row      string
	sent     harness.Delivery
	reason   string // the reason of a refusal; empty: the application gets the delivery, byte for byte
	answer   string // the answer to a handshake, which the application never gets
	answered bool
	header   [2]string // another header that the application gets
	// why says in words how the result differs from the provider's
	// documentation.
	why string
}

const notAnswered = "neither a built-in scheme nor a definition has this handshake: the request is refused and unlocks nothing"

// TestReportedCases sends every row about first contacts, defaults and kinds
// that work through a gateway. The rows that need only a command are tested in
// cmd/webhook.
func TestReportedCases(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return "{file." + path + "}"
	}
	pass := "reverse_proxy " + app.Addr
	route := func(path, scheme string, options ...string) string {
		options = append(options, "provider "+strings.Trim(path, "/"), "replay off")
		return harness.Route(path+"/", harness.Verify(scheme, "CASES_SECRET", options...), pass)
	}
	kept := func(name, text string) string {
		return harness.Route("/"+name+"/", "verify_webhook github "+file(name, text)+" {\nprovider "+name+"\n}", pass)
	}
	defined := func(name, options string) string {
		return harness.Route("/"+name+"/", "verify_webhook own_"+name+" {env.CASES_SECRET} {\nscheme_definition {\n"+options+"\n}\n}", pass)
	}
	const discordPublic = "79b5562e8fe654f94078b112e8a98ba7901f853ae695bed7e0e3910bad049664"
	g := harness.Start(t, harness.OpenSite(
		route("/github", "github"), route("/stripe", "stripe"), route("/slack", "slack", "handshake"), route("/slack-off", "slack"),
		route("/zoom", "zoom", "handshake"), route("/meta", "meta", "handshake {env.CASES_TOKEN}"), route("/linear", "linear"),
		route("/twilio", "twilio", "public_url https://example.com"), route("/twilio-port", "twilio", "public_url https://example.com:443"),
		route("/square", "square", "public_url https://example.com"),
		harness.Route("/discord/", "verify_webhook discord "+discordPublic+" {\nprovider discord\nhandshake\n}", pass),
		kept("plain", casesSecret), kept("one-end", casesSecret+"\n"), kept("two-ends", casesSecret+"\n\n"),
		kept("blank", casesSecret+" \n"), kept("mark", "\ufeff"+casesSecret),
		harness.Route("/special/", "verify_webhook github {env.SPECIAL_SECRET} {\nprovider special\n}", pass),
		harness.Route("/dollar/", "verify_webhook github {$DOLLAR_KEY} {\nprovider dollar\n}", pass),
		defined("gocardless", "signature header Webhook-Signature"),
		defined("dropbox", "signature header X-Dropbox-Signature"),
		defined("xero", "signature header x-xero-signature {\nencoding base64\n}"),
		defined("fintoc", "signature header Fintoc-Signature {\nseparator ,\nnames v1\n}\ntimestamp field t\nsigned {timestamp}.{body}"),
		defined("adyen-platform", "signature header HmacSignature {\nencoding base64\n}"),
		defined("any", "signature header X-Any-Signature"),
	), "CASES_SECRET="+casesSecret, "CASES_TOKEN="+casesToken, "SPECIAL_SECRET="+specialSecret, "DOLLAR_KEY="+dollarSecret)

	for _, c := range append(reportedContacts(), reportedDeliveries()...) {
		t.Run(c.row, func(t *testing.T) {
			before := app.Arrivals()
			a := g.Send(t, c.sent)
			arrived := app.All()[before:]
			switch {
			case c.answered:
				if a.Status/100 != 2 || string(a.Body) != c.answer || strings.Contains(a.Header.Get("Content-Type"), "html") {
					t.Errorf("answered %d %q %q", a.Status, a.Header.Get("Content-Type"), a.Body)
				}
			case c.reason != "":
				a.Rejected(t, c.reason)
			default:
				a.Accepted(t)
				if len(arrived) != 1 {
					t.Fatalf("%d deliveries reached the application", len(arrived))
				}
				arrived[0].Carries(t, c.sent)
				if got := arrived[0].Header.Get(c.header[0]); c.header[0] != "" && got != c.header[1] {
					t.Errorf("%s: %q", c.header[0], got)
				}
				return
			}
			if len(arrived) != 0 {
				t.Errorf("%d requests reached the application", len(arrived))
			}
		})
	}
	for _, label := range []string{"two-ends", "blank", "mark"} {
		if _, found := g.Log.Find(func(e harness.Entry) bool {
			return e.Text("provider") == label && strings.Contains(e.Text("msg"), "white space, a line end or a byte order mark around it")
		}); !found {
			t.Errorf("nothing is said of the secret of %s", label)
		}
	}
	for _, label := range []string{"plain", "one-end"} {
		if e, found := g.Log.Find(func(e harness.Entry) bool {
			return e.Text("level") == "warn" && e.Text("provider") == label && strings.Contains(e.Text("msg"), "white space")
		}); found {
			t.Errorf("the secret of %s is in order, and the log says %v", label, e)
		}
	}
	if _, found := g.Log.Find(func(e harness.Entry) bool {
		return e.Text("provider") == "github" && strings.Contains(e.Text("hint"), "stripe: Stripe-Signature is present")
	}); !found {
		t.Error("two providers on one URL: the log has no hint")
	}
	if e, found := g.Log.Find(func(e harness.Entry) bool {
		return e.Text("provider") == "discord" && strings.Contains(fmt.Sprint(e), "MAC")
	}); found {
		t.Errorf("Discord signs with Ed25519, and the log says %v", e)
	}
}

// TestReportedRetry: a retry with the same signed id and other bytes is a duplicate.
// TestBodies and TestExpectRead test the ways in which bodies arrive, and
// TestStartUpErrors tests missing secrets.
func TestReportedRetry(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Route("/", harness.Verify("stripe", "CASES_SECRET"), "reverse_proxy "+app.Addr)), "CASES_SECRET="+casesSecret)
	stripe := func(body string) harness.Delivery {
		at := harness.Unix(time.Now())
		return harness.Delivery{Method: http.MethodPost, Path: "/", Body: []byte(body)}.Plus("Stripe-Signature", "t="+at+",v1="+harness.HexMAC(casesSecret, at, ".", body))
	}
	g.Send(t, stripe(`{"id":"evt_1","pending_webhooks":2}`)).Accepted(t)
	g.Send(t, stripe(`{"id":"evt_1","pending_webhooks":1}`)).Duplicate(t)
	for name, send := range map[string]func(*testing.T, *harness.Gateway, harness.Delivery) (harness.Answer, error){"chunked": harness.SendChunked, "HTTP/2": harness.SendH2C} {
		a, err := send(t, g, stripe(`{"id":"`+name+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		a.Accepted(t)
	}
	app.Saw(t, 3)
}

// reportedContacts returns the section on first contacts.
func reportedContacts() []reportedCase {
	now := time.Now()
	unsigned := func(path, contentType, body string) harness.Delivery {
		return harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte(body), Headers: []harness.Header{{Name: "Content-Type", Value: contentType}}}
	}
	get := func(path string) harness.Delivery { return harness.Delivery{Method: http.MethodGet, Path: path} }
	const form, object = "application/x-www-form-urlencoded", "application/json"
	slack := func(body string) harness.Delivery {
		return v0("/slack/", "X-Slack-Signature", "X-Slack-Request-Timestamp", casesSecret, body, now)
	}
	zoom := func(body string) harness.Delivery {
		return v0("/zoom/", "x-zm-signature", "x-zm-request-timestamp", casesSecret, body, now)
	}
	ping := discordSigned(now, `{"type":1}`)
	return []reportedCase{
		{row: "Dropbox", sent: get("/any/?challenge=abc"), reason: "method_not_allowed", why: notAnswered},
		{
			row:  "Microsoft Graph, pnp#273, alga-psa#972, #975",
			sent: unsigned("/any/?validationToken=Validation%3A+Testing+client+application", "text/plain", ""), reason: "missing_signature", why: notAnswered,
		},
		{row: "Okta", sent: get("/any/").Plus("X-Okta-Verification-Challenge", "abc123"), reason: "method_not_allowed", why: notAnswered},
		{row: "eBay", sent: get("/any/?challenge_code=a8628072-3d33-45ee-9004-bee86830a22d"), reason: "method_not_allowed", why: notAnswered},
		{
			row: "Twitch", sent: unsigned("/any/", object, `{"challenge":"pogchamp"}`).Plus("Twitch-Eventsub-Message-Type", "webhook_callback_verification"),
			reason: "missing_signature", why: notAnswered,
		},
		{row: "Notion", sent: unsigned("/any/", object, `{"verification_token":"secret_x"}`), reason: "missing_signature", why: notAnswered},
		{row: "Trello, Intercom, zulip/zulip#24001, home-assistant/core#26299", sent: harness.Delivery{Method: http.MethodHead, Path: "/any/"}, reason: "method_not_allowed", why: notAnswered},
		{row: "Slack, slackapi/bolt-js#1397, #2899", sent: unsigned("/slack/", form, "ssl_check=1&token=xxx"), answered: true},
		{row: "Slack without handshake", sent: unsigned("/slack-off/", form, "ssl_check=1&token=xxx"), reason: "missing_signature"},
		{row: "Slack with further fields", sent: unsigned("/slack/", form, "ssl_check=1&token=xxx&command=%2Fpay"), reason: "missing_signature"},
		{row: "Slack url_verification", sent: slack(`{"type":"url_verification","challenge":"3eZbrw1aBm2r"}`), answered: true, answer: "3eZbrw1aBm2r"},
		{
			row: "Zoom's CRC", sent: zoom(`{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event":"endpoint.url_validation"}`), answered: true,
			answer: `{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"` + harness.HexMAC(casesSecret, "qgg8vlvZRS6UYooatFL8Aw") + `"}`,
		},
		{row: "Meta's challenge", sent: get("/meta/?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=" + casesToken), answered: true, answer: "1158201444"},
		{row: "Discord's PING", sent: ping, answered: true, answer: `{"type":1}`},
		{row: "Discord's PING repeated", sent: ping, answered: true, answer: `{"type":1}`},
		{row: "Discord's PING indented", sent: discordSigned(now, "{\n  \"type\": 1\n}"), answered: true, answer: `{"type":1}`},
		{row: "Discord's wrong signature, discord-api-docs#3809", sent: ping.Saying([]byte(`{"type":1} `)), reason: "signature_mismatch"},
	}
}

// discordSigned returns a delivery signed as Discord signs, with the key whose
// seed is the bytes 1 to 32.
func discordSigned(at time.Time, body string) harness.Delivery {
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(i + 1)
	}
	return harness.Delivery{Method: http.MethodPost, Path: "/discord/", Body: []byte(body), Headers: signDiscord(outgoing{key: hex.EncodeToString(seed), body: []byte(body), at: at})}
}

// reportedDeliveries returns the sections on defaults and on kinds that work.
func reportedDeliveries() (all []reportedCase) {
	now := time.Now()
	stamp := harness.Unix(now)
	add := func(row, reason string, sent harness.Delivery) *reportedCase {
		all = append(all, reportedCase{row: row, sent: sent, reason: reason})
		return &all[len(all)-1]
	}
	post := func(path, body, name, value string) harness.Delivery {
		return harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte(body), Headers: []harness.Header{{Name: name, Value: value}}}
	}
	hubBy := func(secret, path, body string) harness.Delivery {
		return post(path, body, "X-Hub-Signature-256", "sha256="+harness.HexMAC(secret, body))
	}
	hub := func(body string) harness.Delivery { return hubBy(casesSecret, "/github/", body) }
	stripe := func(at, body string) harness.Delivery {
		return post("/stripe/", body, "Stripe-Signature", "t="+at+",v1="+harness.HexMAC(casesSecret, at, ".", body))
	}
	slack := func(at time.Time, body string) harness.Delivery {
		return v0("/slack/", "X-Slack-Signature", "X-Slack-Request-Timestamp", casesSecret, body, at)
	}
	large := func(size int) string { return `{"a":"` + strings.Repeat("x", size<<20) + `"}` }
	inBase64 := func(parts ...string) string {
		return base64.StdEncoding.EncodeToString(harness.MAC([]byte(casesSecret), parts...))
	}

	// Defaults and wording.
	add("GitHub, 6 MiB, microsoft/ghcrawler#148", "", hub(large(6)))
	add("GitHub, 24 MiB, stakater/GitWebhookProxy#93", "", hub(large(24)))
	add("Stripe, 6 MiB", "body_too_large", stripe(stamp, large(6)))
	add("stripe/stripe-node#2337", "", stripe(stamp, `{"id":"evt_1","object":"v2.core.event","type":"a","created":"2026-09-17T06:20:52.246Z"}`)).header = [2]string{"Webhook-Occurred-At", "2026-09-17T06:20:52.246Z"}
	add("SendGrid, Discord: a wrong signature", "signature_mismatch", discordSigned(now, `{"type":0}`).Saying([]byte(`{"type":2}`)))
	for name, secret := range map[string]string{
		"plain": casesSecret, "one-end": casesSecret, "two-ends": casesSecret + "\n", "blank": casesSecret + " ", "mark": "\ufeff" + casesSecret,
		"special": specialSecret, "dollar": dollarSecret,
	} {
		add("a secret, "+name+", alexellis/derek#72, coreos/fedora-coreos-pipeline#663", "", hubBy(secret, "/"+name+"/", `{"secret":"`+name+`"}`))
	}
	old := fmt.Sprintf(`{"type":"Issue","webhookTimestamp":%d}`, now.Add(-2*time.Minute).UnixMilli())
	add("linear/linear#1268", "", post("/linear/", old, "Linear-Signature", harness.HexMAC(casesSecret, old)))
	add("two providers on one URL", "missing_signature", stripe(stamp, "{}").To("/github/"))
	add("two providers on one URL, and a malformed signature", "malformed_signature", stripe(stamp, "{}").To("/github/").Plus("X-Hub-Signature-256", "sha256=zz"))

	// Bytes.
	for _, body := range []string{
		"payload=%7B%22a%22%3A1%7D", `{"a":"\ud800"}`, `{"a":"b\/c"}`, `{"a":"\u00e9"}`, `{"a":12345678901234567890123}`,
		"{}\n", "{}\r\n", "", "{\n  \"a\": 1\n}", "{\"a\":\"\u2028\"}",
	} {
		add(fmt.Sprintf("octokit/webhooks.js#71, #76, #1155, mockoon#1126, runatlantis/atlantis#244: the body %q", body), "", hub(body))
	}
	// Headers.
	const header = "X-Hub-Signature-256"
	add("hex in capitals", "", hub(`{"n":1}`).With(header, "sha256="+strings.ToUpper(harness.HexMAC(casesSecret, `{"n":1}`))))
	add("a signature header twice, w3c-ccg/http-signatures#63", "malformed_signature", hub("{}").Plus(header, hub("{}").Get(header)))
	add("joined by a comma", "malformed_signature", hub("{}").With(header, hub("{}").Get(header)+","+hub("{}").Get(header)))
	v1 := "v1=" + harness.HexMAC(casesSecret, stamp, ".", `{"n":2}`)
	striped := func(value string) harness.Delivery {
		return post("/stripe/", `{"n":2}`, "Stripe-Signature", value)
	}
	add("v1 before t", "", striped(v1+",t="+stamp))
	add("foreign and older entries", "", striped("t="+stamp+",x=y,v0=00,"+v1))
	add("a blank after the comma, alphagov/pay-connector#887", "malformed_signature", striped("t="+stamp+", "+v1))
	ms := fmt.Sprint(now.UnixMilli())
	inMS := slack(now, "{}").With("X-Slack-Request-Timestamp", ms).With("X-Slack-Signature", "v0="+harness.HexMAC(casesSecret, "v0:", ms, ":{}"))
	add("milliseconds where seconds are signed, adcp#436", "malformed_signed_header", inMS)
	add("301 s old, stripe/stripe-node#1778", "stale", stripe(harness.Unix(now.Add(-310*time.Second)), "{}"))

	// Twilio and Square.
	twilio := func(path, signed, body string) harness.Delivery {
		h := hmac.New(sha1.New, []byte(casesSecret))
		h.Write([]byte(signed))
		return post(path, body, "X-Twilio-Signature", base64.StdEncoding.EncodeToString(h.Sum(nil))).Plus("Content-Type", "application/x-www-form-urlencoded")
	}
	digest := fmt.Sprintf("%x", sha256.Sum256([]byte(`{"a":1}`)))
	for row, c := range map[string][3]string{ // path, signed text after the URL's path, body
		"query as received":             {"/twilio/?b=%2F&a=1", "https://example.com/twilio/?b=%2F&a=1A1", "A=1"},
		"several values of one name":    {"/twilio/", "https://example.com/twilio/A1A2", "A=2&A=1"},
		"empty values":                  {"/twilio/", "https://example.com/twilio/AB", "A=&B="},
		"JSON in a value":               {"/twilio/", `https://example.com/twilio/A{"b": 1}`, "A=%7B%22b%22%3A+1%7D"},
		":443":                          {"/twilio-port/", "https://example.com:443/twilio-port/A1", "A=1"},
		":443 that is not signed":       {"/twilio-port/", "https://example.com/twilio-port/A1", "A=1"},
		"white space kept, #306, #458":  {"/twilio/", "https://example.com/twilio/A 1 \n", "A=+1+%0A"},
		"bodySHA256 last, #722 and #44": {"/twilio/?a=1&bodySHA256=" + digest, "https://example.com/twilio/?a=1&bodySHA256=" + digest, `{"a":1}`},
	} {
		d := twilio(c[0], c[1], c[2])
		if strings.Contains(c[0], "bodySHA256") {
			d = d.With("Content-Type", "application/json")
		}
		add("Twilio: "+row, "", d)
	}
	asGET := twilio("/twilio/?a=1", "https://example.com/twilio/?a=1", "").By(http.MethodGet).Without("Content-Type")
	add("Twilio: GET", "method_not_allowed", asGET).why = "methods has POST alone unless the operator writes GET too"
	const square = "x-square-hmacsha256-signature"
	add("Square: query", "", post("/square/in?a=1", "{}", square, inBase64("https://example.com/square/in?a=1", "{}")))
	add("Square: slash at the end", "signature_mismatch", post("/square/in/", "{}", square, inBase64("https://example.com/square/in", "{}")))
	add("Square: Host with a port, dograh#510", "", post("/square/in", "{}", square, inBase64("https://example.com/square/in", "{}")))

	// Providers that need a definition, as they document their signatures.
	const doc = `{"events":[{"id":"EV1"}]}`
	add("GoCardless", "", post("/gocardless/", doc, "Webhook-Signature", harness.HexMAC(casesSecret, doc)))
	add("Dropbox's deliveries", "", post("/dropbox/", doc, "X-Dropbox-Signature", harness.HexMAC(casesSecret, doc)))
	add("Xero, XeroWebhooksReceiver#1", "", post("/xero/", doc, "x-xero-signature", inBase64(doc)))
	add("Fintoc", "", post("/fintoc/", doc, "Fintoc-Signature", "t="+stamp+",v1="+harness.HexMAC(casesSecret, stamp, ".", doc)))
	add("Adyen's platform", "", post("/adyen-platform/", doc, "HmacSignature", inBase64(doc)))
	return all
}
