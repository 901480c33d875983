package webhook

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestExplained makes each mistake with MACs computed in this test and checks
// the advice. The tests of the package explain do so for every scheme.
func TestExplained(t *testing.T) {
	const body = `{"event":"paid"}`
	key := []byte("\x00a key that is no text\xff")
	b64 := base64.StdEncoding.EncodeToString(key)
	easytools := func(sum []byte) string { return fmt.Sprintf("X-Webhook-Signature: %x\n", sum) }
	for _, c := range []struct {
		name, scheme, secret, headers, body string
		explained, advice                   string
	}{
		{
			"a secret that should be decoded", "easytools", b64, easytools(mac(key, body)), body,
			"the sender decodes the secret from base64 before it signs", "{file.PATH} of a file that `base64 -d` writes",
		},
		{
			"a secret that should not be decoded", "mceasy", b64,
			fmt.Sprintf("X-McEasyWebhook-Timestamp: %d000\nX-McEasyWebhook-Event: 4\nX-McEasyWebhook-Signature: v1.0:%s\n", noon,
				base64.StdEncoding.EncodeToString(mac([]byte(b64), fmt.Sprintf("%d000|>4|>%s", noon, body)))), body,
			"the sender signs with the text of the secret", "have the sender decode the secret",
		},
		{
			"a line end in the secret", "easytools", "the-secret\n", easytools(mac([]byte("the-secret"), body)), body,
			"the secret has blanks or line ends around it", "write it without them",
		},
		{
			"a line end behind the body", "easytools", "the-secret", easytools(mac([]byte("the-secret"), body)), body + "\n",
			"the body has a line end at its end that is not signed", "take it off",
		},
		{
			"CR LF", "easytools", "the-secret", easytools(mac([]byte("the-secret"), "a\r\nb")), "a\nb",
			"the lines of the body end in LF, and in CR LF where it was signed", "the line ends were converted",
		},
		{
			"JSON written anew", "easytools", "the-secret", easytools(mac([]byte("the-secret"), body)), `{"event": "paid"}`,
			"the signature is the one of the same JSON, compact", "something parses the JSON and writes it anew",
		},
		{
			"another provider", "cryptr", "the-secret", easytools(mac([]byte("the-secret"), body)), body,
			"it is a delivery of another provider: as easytools it is authentic", "write the scheme easytools",
		},
		{
			"only v0", "stripe", "the-secret",
			fmt.Sprintf("Stripe-Signature: t=%d,v1=%064x,v0=%x\n", noon, 0, mac([]byte("the-secret"), fmt.Sprintf("%d.%s", noon, body))), body,
			"the secret matches v0 alone", "configure the secret that the provider signs with now",
		},
		{
			"cut off", "easytools", "the-secret", easytools(mac([]byte("the-secret"), body)[:25]), body,
			"the signature is right but cut off", "the whole header",
		},
		{
			"nothing", "easytools", "the-secret", easytools(mac([]byte("another"), body)), body,
			"no common mistake", "look whether the secret is the one of this webhook",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := run(t, []byte(c.body), "verify", "--scheme", c.scheme, "--secret", c.secret, "--headers", tempFile(t, []byte(c.headers)))
			if o.status != 1 || !strings.HasPrefix(o.row("explained by"), c.explained) || !strings.Contains(o.row("what to do"), c.advice) {
				t.Errorf("status %d\n%s%swant\n%s\n%s", o.status, o.out, o.errOut, c.explained, c.advice)
			}
			if strings.Contains(o.out, strings.TrimSpace(c.secret)) {
				t.Errorf("the secret is in the report:\n%s", o.out)
			}
			for _, keyText := range []string{c.secret, strings.TrimSpace(c.secret), string(key)} {
				for _, text := range []string{c.body, body, fmt.Sprintf("%d.%s", noon, c.body)} {
					if sum := mac([]byte(keyText), text); strings.Contains(o.out, hex.EncodeToString(sum)) || strings.Contains(o.out, base64.StdEncoding.EncodeToString(sum)) {
						t.Errorf("a MAC is in the report:\n%s", o.out)
					}
				}
			}
		})
	}
}

// TestLargeHeaders: headers that no server would accept are not read.
func TestLargeHeaders(t *testing.T) {
	headers := bytes.Repeat([]byte("a:\n"), maxHeaderBytes/3+1)
	o := run(t, nil, "verify", "--scheme", "easytools", "--secret", "the-secret", "--headers", tempFile(t, headers))
	if o.status != 2 || firstLine(o.errOut) != "Error: --headers cannot be read: it is larger than 1 MiB; write the path of a file" {
		t.Errorf("status %d\n%s%s", o.status, o.out, o.errOut)
	}
}

// TestPreviousSecret: a delivery that only the previous secret verifies is
// accepted with a note.
func TestPreviousSecret(t *testing.T) {
	text := fmt.Sprintf("%d.%s", noon, cryptrBody)
	headers := fmt.Appendf(nil, "cryptr-signature: t=%d,v1=sha256.%x,v0=sha256.%x\n", noon, mac([]byte("new"), text), mac([]byte("old"), text))
	o := verifyCryptr(t, headers, cryptrBody, "--secret", "old")
	if o.status != 0 || !strings.HasPrefix(o.row("note"), "it matches v0 alone, which is made with the previous secret") ||
		o.row("what to do") != "write the new secret in front of this one before the provider stops signing with this one" {
		t.Errorf("status %d\n%s%s", o.status, o.out, o.errOut)
	}
	if o = verifyCryptr(t, headers, cryptrBody, "--secret", "new", "--secret", "old"); o.status != 0 || strings.Contains(o.out, "what to do") {
		t.Errorf("status %d\n%s%s", o.status, o.out, o.errOut)
	}
}

// TestUnreadableSecret: an unreadable secret is wrong usage, and the error says
// what is wrong with it.
func TestUnreadableSecret(t *testing.T) {
	headers := tempFile(t, nil)
	o := run(t, nil, "verify", "--scheme", "mceasy", "--secret", canary, "--secret", `"`+canary+`"`, "--headers", headers)
	if want := "Error: secret 2: is not base64, in which McEasy's secrets are written; write the whole secret; " +
		"the secret has quotes around it: write it without the quotes"; o.status != 2 || firstLine(o.errOut) != want || o.out != "" {
		t.Errorf("status %d\n%s%swant\n%s", o.status, o.out, o.errOut, want)
	}
}
