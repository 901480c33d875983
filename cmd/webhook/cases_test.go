package webhook

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

func gzipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return out.String()
}

func inUTF16(text string) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return string(out)
}

// TestKeptOtherwise has deliveries that were changed before they were kept, as
// in the named public reports. The signature is that of the body that was sent.
func TestKeptOtherwise(t *testing.T) {
	const (
		object  = "X-Hub-Signature-256: sha256=c3a92ff9e274cdcce27a58c15a78ec6dcbbdbd0038a87e7a11baef2028fd8bff"
		accents = "X-Hub-Signature-256: sha256=5513ca244ff554f0070faefee7a771a6e09b85b511cabcfbc47c42e4e8c4b374"
	)
	github := func(signed string) string {
		return fmt.Sprintf("X-Hub-Signature-256: sha256=%x", mac([]byte("k"), signed))
	}
	for _, c := range []struct{ source, headers, kept, explained string }{
		{
			"nodejs/help#535, jenkinsci/github-plugin#134, stackit#1328", "X-Hub-Signature-256: sha256=17d0b13a3a1e4fd55632f6a6cbb3303464f982b09bfdd893ae1ecae1657af4e1",
			`{"a":1}`, "the body was decoded from the form's field payload",
		},
		{
			"slackapi/bolt-python#731", "X-Hub-Signature-256: sha256=b7d267d88159b5101e43e961d1747021881023ad844c1a780bc03c73e31d522f",
			"text=a%20b", "the form was written anew",
		},
		{"serverless/serverless#537, sanity-io/webhook-toolkit#7", object, `"{\"a\":1}"`, "the body was kept as a JSON string"},
		{"stripe/stripe-node#409, #1768, aws/chalice#2", object, `{"body":"{\"a\":1}","isBase64Encoded":false}`, "what was kept is JSON around the body, such as a platform's event, whose body is what was sent"},
		{"stripe/stripe-node#409 in base64", object, `{"body":"eyJhIjoxfQ==","isBase64Encoded":true}`, "what was kept is JSON around the body, such as a platform's event, whose body is what was sent"},
		{"github/docs#3315, #3567, razorpay/razorpay-dot-net#156, octokit/webhooks.js#1155", accents, "{\"t\":\"\xe9\"}", "the body is in another character set, Latin-1"},
		{"the same, lost", accents, `{"t":"?"}`, "not proven, but seen: ? stands in the body where letters may have stood"},
		{"the same, replaced", accents, "{\"t\":\"\ufffd\"}", "not proven, but seen: the body has U+FFFD"},
		{
			"a shell that writes UTF-16", "X-Hub-Signature-256: sha256=4ebb5ddd6dc02b40364fec1389312f2ecf9478c7b5a0dbd51d705fe88e9217ab",
			inUTF16("\ufeff{\"t\":1}"), "the body is in UTF-16",
		},
		{
			"GetStream/stream-chat-php#168", "Content-Encoding: gzip\nX-Hub-Signature-256: sha256=49ae507dcf418ac2d0f37dfccd5bb52b824f234d873c71f62a8d060ecd8e8549",
			gzipped(`{"type":"message.new"}`), "the body is compressed with gzip, and was signed before it was compressed",
		},
		{"console.log of a Buffer", object, "<Buffer 7b 22 61 22 3a 31 7d>", "the body was kept as a program prints its bytes"},
		{"Array.from of a Buffer", object, "[123,34,97,34,58,49,125]", "the body was kept as a program prints its bytes"},
		{"Amazon SQS", object, `{"Records":[{"body":"{\"a\":1}"}]}`, "what was kept is JSON around the body, such as a platform's event, whose body is what was sent"},
		{"Google Pub/Sub", object, `{"message":{"data":"eyJhIjoxfQ=="}}`, "what was kept is JSON around the body, such as a platform's event, whose data is what was sent"},
		{"readAsDataURL", object, "data:application/json;base64,eyJhIjoxfQ==", "the body was kept as a data: URL"},
		{"encodeURIComponent twice", object, "%257B%2522a%2522%253A1%257D", "the body is percent-encoded, and was signed decoded"},
		{"a word processor", object, "{“a”:1}", "the body has characters of a word processor"},
		{
			"slackapi/bolt-python#731, in another order", github("c=3&a=1&b=2"), "a=1&b=2&c=3", "the form was written anew: the signature is the one of the same fields",
		},
		{"an event that was signed whole", github(`{"body":"{\"a\":1}","isBase64Encoded":false}`), `{"a":1}`, "the JSON around the body was signed, such as a platform's event, whose body was kept"},
		{"str(request.data) in Python", github(`b'{"a":1}'`), `{"a":1}`, "the body was signed as Python prints bytes"},
		{"decompressed by a proxy", "Content-Encoding: gzip\n" + github("gzip of another encoder"), `{"a":1}`, "not proven, but seen: the body was sent compressed with gzip"},
		{"another secret", fmt.Sprintf("X-Hub-Signature-256: sha256=%x", mac([]byte("another"), `{"a":1}`)), `{"a":1}`, "no common mistake"},
	} {
		t.Run(c.source, func(t *testing.T) {
			o := run(t, []byte(c.kept), "verify", "--at", "1700000000", "--scheme", "github", "--secret", "k", "--headers", tempFile(t, []byte(c.headers)))
			if o.status != 1 || !strings.HasPrefix(o.row("explained by"), c.explained) || o.row("what to do") == "" || strings.Contains(o.out, "not finished") {
				t.Errorf("status %d\n%s%swant %s", o.status, o.out, o.errOut, c.explained)
			}
		})
	}
}

// TestSignedOtherwise has URLs and headers from public reports.
func TestSignedOtherwise(t *testing.T) {
	twilio := func(signature string) string { return "X-Twilio-Signature: " + signature }
	for _, c := range []struct {
		source, scheme, secret, headers, url, method, body string
		explained                                          string
	}{
		{
			source: "Shopify", scheme: "shopify", secret: "k", body: "{}",
			headers: "X-Shopify-Hmac-Sha256: rdhTsQP7zJNqGU%2BesV4pxP8Ir25H1dG8pPICGOMeT%2F8%3D", explained: "the signature is percent-encoded",
		},
		{
			source: "twilio/twilio-node#621", scheme: "twilio", secret: "12345", body: "A=1", headers: twilio("RkIHPT9EvAbDFZJVvhL2tdJr8ZE="),
			url: "https://example.com/a?Caller=sip%3A1234567890%40203.0.113.5&CallSid=CA1", explained: "the sender signed the query otherwise",
		},
		{
			source: "twilio/twilio-php#790, twilio-node#1079", scheme: "twilio", secret: "12345", body: "A=1", headers: twilio("YcPAFKheMrpxU0ixoWOdiUeRewI="),
			url: "https://example.com/a?param1=1&param2=2&param3=3", explained: "the sender signed the query otherwise: the same parameters in another order",
		},
		{
			source: "openai/openai-agents-python#5110, openclaw/openclaw#8814", scheme: "twilio", secret: "12345", headers: twilio("XHTlEvLZvyfvY2pMxsh3/XrsxGI="),
			url: "https://example.com/a", method: "GET", explained: "the sender signed the URL for a WebSocket, with wss://",
		},
		{
			source: "bodySHA256 that is not last", scheme: "twilio", secret: "12345", body: `{"property": "value", "boolean": true}`, headers: twilio("k5+sFAiVe4yH8qSzZvlqgQyL+K4="),
			url: "https://example.com/a?bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620&foo=1", explained: "the URL has bodySHA256, but does not end with it",
		},
	} {
		t.Run(c.source, func(t *testing.T) {
			args := []string{"verify", "--at", "1700000000", "--scheme", c.scheme, "--secret", c.secret, "--headers", tempFile(t, []byte(c.headers))}
			if c.url != "" {
				args = append(args, "--url", c.url)
			}
			if c.method != "" {
				args = append(args, "--method", c.method)
			}
			o := run(t, []byte(c.body), args...)
			if o.status != 1 || !strings.HasPrefix(o.row("explained by"), c.explained) || strings.Contains(o.out, "empty body") || strings.Contains(o.out, "cut off") {
				t.Errorf("status %d\n%s%swant %s", o.status, o.out, o.errOut, c.explained)
			}
		})
	}
}

// TestExplainedKinds covers the mistakes that were explained before, by their
// row.
func TestExplainedKinds(t *testing.T) {
	const body = `{"a":"b/c"}`
	hub := func(secret, signed string) string {
		return fmt.Sprintf("X-Hub-Signature-256: sha256=%x", mac([]byte(secret), signed))
	}
	hexed := fmt.Sprintf("%x", mac([]byte("k"), body))
	sha1MAC := hmac.New(sha1.New, []byte("k"))
	sha1MAC.Write([]byte(body))
	standard := func(key []byte) string {
		return "webhook-id: msg_1\nwebhook-timestamp: 1700000000\nwebhook-signature: v1," + base64.StdEncoding.EncodeToString(mac(key, "msg_1.1700000000."+body))
	}
	for row, c := range map[string]struct{ scheme, secret, headers, kept, explained string }{
		"secret with a line end": {"github", "k\n", hub("k", body), body, "the secret has blanks or line ends around it"},
		"secret decoded":         {"github", "a2V5", hub("key", body), body, "the sender decodes the secret from base64 before it signs"},
		"secret as text":         {"standard", standardSecret, standard([]byte(standardSecret)), body, "the sender signs with the text of the secret"},
		"without its whsec_":     {"stripe", "whsec_k", fmt.Sprintf("Stripe-Signature: t=1700000000,v1=%x", mac([]byte("k"), "1700000000."+body)), body, "the sender's key is the secret without the whsec_"},
		"json.dumps":             {"github", "k", hub("k", `{"a": "b/c"}`), body, "the signature is the one of the same JSON, with a blank behind commas"},
		"indented":               {"github", "k", hub("k", body), "{\n  \"a\": \"b/c\"\n}", "the signature is the one of the same JSON, compact"},
		`\/ lost`:                {"github", "k", hub("k", `{"a":"b\/c"}`), body, `the signature is the one of the same JSON, compact, with \/ for /`},
		"base64 kept":            {"github", "k", hub("k", body), "eyJhIjoiYi9jIn0=", "the body is base64"},
		"byte order mark":        {"github", "k", hub("k", body), "\ufeff" + body, "the body has a byte order mark in front"},
		"empty body":             {"github", "k", hub("k", ""), body, "the signature is the one of an empty body"},
		"body not kept":          {"github", "k", hub("k", body), "", "no common mistake"},
		"hex for base64":         {"shopify", "k", "X-Shopify-Hmac-Sha256: " + hexed, body, "the signature is right, but not written as this scheme has it; it is hex"},
		"prefix missing":         {"github", "k", "X-Hub-Signature-256: " + hexed, body, "the signature is right, but not written as this scheme has it"},
		"prefix in capitals":     {"github", "k", "X-Hub-Signature-256: SHA256=" + hexed, body, "the signature is right, but not written as this scheme has it"},
		"older header alone":     {"github", "k", fmt.Sprintf("X-Hub-Signature: sha1=%x", sha1MAC.Sum(nil)), body, "the delivery has the older signature alone: X-Hub-Signature"},
		"a slash, for Square": {
			"square", "k", "x-square-hmacsha256-signature: " + base64.StdEncoding.EncodeToString(mac([]byte("k"), "https://example.com/in"+body)), body,
			"the sender signed another URL: without the slash at the end of the path",
		},
	} {
		t.Run(row, func(t *testing.T) {
			args := []string{"verify", "--at", "1700000000", "--scheme", c.scheme, "--secret", c.secret, "--headers", tempFile(t, []byte(c.headers))}
			if c.scheme == "square" {
				args = append(args, "--url", "https://example.com/in/")
			}
			if o := run(t, []byte(c.kept), args...); o.status != 1 || !strings.HasPrefix(o.row("explained by"), c.explained) {
				t.Errorf("status %d\n%s%swant %s", o.status, o.out, o.errOut, c.explained)
			}
		})
	}
}

// TestNoMACWhereThereIsNone: the words fit Ed25519, with which Discord signs.
func TestNoMACWhereThereIsNone(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	signed := run(t, []byte("{}"), "sign", "--scheme", "discord", "--secret", hex.EncodeToString(seed))
	o := run(t, []byte("{} and more"), "verify", "--scheme", "discord", "--secret", hex.EncodeToString(public), "--headers", tempFile(t, []byte(signed.out)))
	if o.status != 1 || o.row("reason") != "signature_mismatch" || !strings.Contains(o.row("detail"), "signature") ||
		strings.Contains(o.out, "MAC") || strings.Contains(o.row("tried"), "secret") {
		t.Errorf("status %d\n%s%s%s", o.status, signed.errOut, o.out, o.errOut)
	}
}
