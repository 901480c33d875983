package webhook

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

const (
	cryptrBody = `{"code":"user.created","issued_at":"2026-01-31T11:59:00.123456Z","__domain__":"acme","__environment__":"sandbox"}`
	noon       = 1769860800 // testClock
)

func cryptrHeaders(key string, t int, body string) []byte {
	return fmt.Appendf(nil, "cryptr-signature: t=%d,v1=sha256.%x\n", t, mac([]byte(key), fmt.Sprintf("%d.%s", t, body)))
}

func verifyCryptr(t *testing.T, headers []byte, body string, args ...string) outcome {
	t.Helper()
	return run(t, []byte(body), append([]string{"verify", "--scheme", "cryptr", "--headers", tempFile(t, headers)}, args...)...)
}

func TestVerifyReport(t *testing.T) {
	body := strings.Repeat("x", 500)
	for name, test := range map[string]struct {
		got  outcome
		want string
	}{
		"accepted": {
			verifyCryptr(t, cryptrHeaders("new", noon-60, cryptrBody), cryptrBody, "--secret", "old", "--secret", "new"),
			`verdict:        accepted
scheme:         cryptr
secret:         2 of 2 matches
signed time:    2026-01-31T11:59:00Z, 1m old
event:          user.created
occurred at:    2026-01-31T11:59:00.123456Z
tenant:         acme
environment:    sandbox
signed bytes:   "1769860740.{\"code\":\"user.created\",\"issued_at\":\"2026-01-31T11:59:00.123456Z\",\"__domain__\":\"acme\",\"__environment__\":\"sandbox\"}" (124 bytes)
`,
		},
		"stale": {
			verifyCryptr(t, cryptrHeaders("k", noon-360, "b"), "b", "--secret", "k"),
			`verdict:        rejected
reason:         stale
detail:         authentic, but 6m old; the tolerance is 5m
scheme:         cryptr
secret:         1 of 1 matches
signed time:    2026-01-31T11:54:00Z, 6m old
signed bytes:   "1769860440.b" (12 bytes)
`,
		},
		"mismatch": {
			verifyCryptr(t, cryptrHeaders("k", noon+1, body), body, "--secret", "other"),
			`verdict:        rejected
reason:         signature_mismatch
detail:         none of the configured secrets produces this signature for this body
scheme:         cryptr
signed time:    2026-01-31T12:00:01Z, 1s ahead of the clock (what the header says, not verified)
signed bytes:   "1769860801.` + body[:189] + `" ... 111 bytes ... "` + body[:200] + `" (511 bytes)
explained by:   no common mistake
tried:          the secret encoded, decoded, trimmed and quoted; the body with other line ends, encoded, or empty; its JSON written otherwise; other units of the time; older versions of the signature; all other schemes
what to do:     look whether the secret is the one of this webhook in this environment, and compare the signed bytes with the provider's own record of the delivery
`,
		},
		"the headers do not say": {
			verifyCryptr(t, []byte("Content-Type: text/plain\n"), "b", "--secret", "k"),
			`verdict:        rejected
reason:         missing_signature
detail:         cryptr-signature is absent or empty
scheme:         cryptr
signed bytes:   t . body; the headers do not say all of it
explained by:   no common mistake
tried:          all other schemes
what to do:     none of the headers looks like a signature: keep all headers of a delivery, in full length
`,
		},
		"only the body is signed": {
			run(t, []byte("b\xff\x1b[31m\u202e"), "verify", "--scheme", "craneops", "--secret", "k", "--headers", tempFile(t, nil), "-"),
			`verdict:        rejected
reason:         missing_signature
detail:         X-CraneOps-Signature is absent or empty
scheme:         craneops
signed time:    none; craneops does not sign one
signed bytes:   "b\xff\x1b[31m\u202e" (10 bytes)
explained by:   no common mistake
tried:          all other schemes
what to do:     none of the headers looks like a signature: keep all headers of a delivery, in full length
`,
		},
		"unsigned values": {
			run(t, []byte("b"), "verify", "--scheme", "craneops", "--secret", "k", "--headers",
				tempFile(t, fmt.Appendf(nil, "HTTP/1.1 200 OK\nx-craneops-event:  a b\xff\t\nX-CraneOps-Signature:%X", mac([]byte("k"), "b")))),
			`verdict:        accepted
scheme:         craneops
secret:         1 of 1 matches
signed time:    none; craneops does not sign one
unsigned event: "a b\xff" (not signed; anybody can change it)
signed bytes:   "b" (1 byte)
`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.got.out != test.want || test.got.errOut != "" {
				t.Errorf("got\n%s%s\nwant\n%s", test.got.out, test.got.errOut, test.want)
			}
		})
	}
}

// TestVerifyShowsNoMAC: the report contains no valid signature in any encoding,
// since any reader could use it.
func TestVerifyShowsNoMAC(t *testing.T) {
	sum := mac([]byte("k"), "1769860800.b")
	o := verifyCryptr(t, cryptrHeaders("another", noon, "b"), "b", "--secret", "k")
	if o.row("reason") != "signature_mismatch" {
		t.Fatal(o.out)
	}
	for _, text := range []string{
		hex.EncodeToString(sum), strings.ToUpper(hex.EncodeToString(sum)),
		base64.StdEncoding.EncodeToString(sum), base64.RawURLEncoding.EncodeToString(sum),
	} {
		if strings.Contains(o.out, text) {
			t.Errorf("the expected MAC is in the report:\n%s", o.out)
		}
	}
}

func TestVerifyTolerance(t *testing.T) {
	for _, test := range []struct {
		age       int
		tolerance string
		reason    string
	}{
		{300, "", ""},
		{301, "", "stale"},
		{-300, "", ""},
		{-301, "", "future"},
		{86400, "1d", ""},
		{86401, "1d", "stale"},
		{-300, "1d", ""},
		{-301, "1d", "future"},
		{-60, "1m", ""},
		{-61, "1m", "future"},
		{noon, "off", ""},
		{-86400, "off", ""},
	} {
		t.Run(fmt.Sprintf("%ds %s", test.age, test.tolerance), func(t *testing.T) {
			args := []string{"--secret", "k"}
			if test.tolerance != "" {
				args = append(args, "--tolerance", test.tolerance)
			}
			o := verifyCryptr(t, cryptrHeaders("k", noon-test.age, ""), "", args...)
			want := 0
			if test.reason != "" {
				want = 1
			}
			if o.status != want || o.row("reason") != test.reason {
				t.Errorf("status %d:\n%s%s", o.status, o.out, o.errOut)
			}
			if off := strings.HasSuffix(o.row("signed time"), "(not judged)"); off != (test.tolerance == "off") {
				t.Errorf("signed time: %s", o.row("signed time"))
			}
		})
	}
}

// TestVerifyBodyTime: Easytools' time is checked only with --tolerance.
func TestVerifyBodyTime(t *testing.T) {
	for _, test := range []struct {
		name, body string
		args       []string
		reason     string
		time       string
	}{
		{"old, not asked", `{"event":"e","timestamp":1769850000}`, nil, "", "2026-01-31T09:00:00Z, 3h old (not judged)"},
		{"old, off", `{"timestamp":1769850000}`, []string{"--tolerance", "off"}, "", "2026-01-31T09:00:00Z, 3h old (not judged)"},
		{"old, asked", `{"timestamp":1769850000}`, []string{"--tolerance", "2h"}, "stale", "2026-01-31T09:00:00Z, 3h old"},
		{"fresh, asked", `{"timestamp":"1769850000"}`, []string{"--tolerance", "24h"}, "", "2026-01-31T09:00:00Z, 3h old"},
		{"none, asked", `{}`, []string{"--tolerance", "24h"}, "no_signed_time", ""},
		{"none, not asked", `not JSON`, nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := tempFile(t, fmt.Appendf(nil, "X-Webhook-Signature: %x\n", mac([]byte("k"), test.body)))
			o := run(t, []byte(test.body), append([]string{"verify", "--scheme", "easytools", "--secret", "k", "--headers", headers}, test.args...)...)
			if o.row("reason") != test.reason || o.row("signed time") != test.time || (o.status == 0) != (test.reason == "") {
				t.Errorf("status %d:\n%s%s", o.status, o.out, o.errOut)
			}
		})
	}
}

// TestVerifyMcEasyKeys: both keys of a McEasy secret count as one secret.
func TestVerifyMcEasyKeys(t *testing.T) {
	key := []byte{0x80, 0xff, 'k'}
	for _, reading := range [][]byte{key, []byte("\u0080\u00ffk")} {
		headers := tempFile(t, fmt.Appendf(nil, "X-McEasyWebhook-Timestamp: %d000\nX-McEasyWebhook-Event: 4\nX-McEasyWebhook-Occurrence-ID: job-1\nX-McEasyWebhook-Signature: v1.0:%s\n",
			noon, base64.StdEncoding.EncodeToString(mac(reading, fmt.Sprintf("%d000|>4|>{}", noon)))))
		o := run(t, []byte("{}"), "verify", "--scheme", "mceasy", "--secret", base64.StdEncoding.EncodeToString(key), "--headers", headers)
		if o.status != 0 || o.row("secret") != "1 of 1 matches" || o.row("event") != "4" ||
			o.row("occurrence id") != `"job-1" (not signed; anybody can change it)` ||
			o.row("signed bytes") != `"1769860800000|>4|>{}" (20 bytes)` {
			t.Errorf("status %d:\n%s%s", o.status, o.out, o.errOut)
		}
	}
}

// TestVerifyShowsWhatWasSigned: Twilio may sign the URL with the port that it
// does not send.
func TestVerifyShowsWhatWasSigned(t *testing.T) {
	body := []byte("A=1")
	for _, url := range []string{"https://a.example/b", "https://a.example:443/b"} {
		signed := run(t, body, "sign", "--scheme", "twilio", "--secret", "k", "--url", url)
		o := run(t, body, "verify", "--scheme", "twilio", "--secret", "k", "--url", "https://a.example/b",
			"--headers", tempFile(t, []byte(signed.out)))
		if got, want := o.row("signed bytes"), strconv.Quote(url+"A1"); o.status != 0 || !strings.HasPrefix(got, want) {
			t.Errorf("status %d, signed bytes %s, want %s", o.status, got, want)
		}
	}
}
