package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes/schemestest"
)

// inputs describe built-in schemes of every form, each in a few lines.
var inputs = map[string]string{
	"github":   `{"scheme":"github","headers":[["X-Hub-Signature-256","sha256={signature}"]],"unsigned":[["X-GitHub-Event","push"]]}`,
	"paddle":   `{"scheme":"paddle","signed":"{timestamp}:{body}","separator":";","headers":[["Paddle-Signature","ts={timestamp};h1={signature}"]]}`,
	"shopify":  `{"scheme":"shopify","encoding":"base64","secret":"hush","headers":[["X-Shopify-Hmac-SHA256","{signature}"]],"unsigned":[["X-Shopify-Topic","orders/create"]]}`,
	"slack":    `{"scheme":"slack","signed":"v0:{timestamp}:{body}","headers":[["X-Slack-Request-Timestamp","{timestamp}"],["X-Slack-Signature","v0={signature}"]]}`,
	"gitlab":   `{"scheme":"gitlab","key":"whsec_","encoding":"base64","signed":"{id}.{timestamp}.{body}","separator":" ","headers":[["webhook-id","{id}"],["webhook-timestamp","{timestamp}"],["webhook-signature","v1,{signature}"]],"unsigned":[["X-Gitlab-Event","Push Hook"]]}`,
	"square":   `{"scheme":"square","encoding":"base64","signed":"{url}{body}","url":"https://hooks.example.com/square?a=b","headers":[["x-square-hmacsha256-signature","{signature}"]]}`,
	"linear":   `{"scheme":"linear","unit":"ms","body":"{\"webhookTimestamp\":{timestamp}}","headers":[["Linear-Signature","{signature}"]],"unsigned":[["Linear-Event","Issue"]]}`,
	"discord":  `{"scheme":"discord","algorithm":"ed25519","key":"hex","signed":"{timestamp}{body}","headers":[["X-Signature-Timestamp","{timestamp}"],["X-Signature-Ed25519","{signature}"]]}`,
	"sendgrid": `{"scheme":"sendgrid","algorithm":"ecdsa-p256","key":"spki","encoding":"base64","signed":"{timestamp}{body}","headers":[["X-Twilio-Email-Event-Webhook-Timestamp","{timestamp}"],["X-Twilio-Email-Event-Webhook-Signature","{signature}"]]}`,
}

// TestMadeVectors: generated vectors have the right answers, can be read like
// the committed ones and cover every kind that those cover.
func TestMadeVectors(t *testing.T) {
	s := signerOf(t)
	committed, err := schemestest.Read("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range inputs {
		t.Run(name, func(t *testing.T) {
			made, err := vectorsOf(s, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			var file strings.Builder
			if err := write(&file, made); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(file.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			has := map[schemestest.Kind]bool{}
			for _, v := range made {
				has[v.Kind] = true
			}
			for _, v := range committed {
				if v.Scheme == name && !has[v.Kind] {
					t.Errorf("no vector of kind %s", v.Kind)
					has[v.Kind] = true
				}
			}
			schemestest.Run(t, dir, schemestest.Verify)
		})
	}
}

// TestWhatCannotBeMade: an error says what to write instead.
func TestWhatCannotBeMade(t *testing.T) {
	s := signerOf(t)
	for text, want := range map[string]string{
		`{"scheme":"s","headers":[["X","{timestamp}"]]}`:                                       "a header with {signature}",
		`{"scheme":"s","headers":[["X","{signature}"]],"signed":"{method}{body}"}`:             "{method} is not known here",
		`{"scheme":"s","headers":[["X","{signature}"]],"sign":"{body}"}`:                       `unknown field "sign"`,
		`{"scheme":"s","headers":[["X","{signature}"]],"key":"pem","secret":"k"}`:              "pem is not known here",
		`{"scheme":"s","headers":[["X","{signature}"]],"algorithm":"hmac-md0","secret":"key"}`: "the signer: ",
	} {
		if _, err := vectorsOf(s, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// signerOf starts the signer of a test.
func signerOf(t *testing.T) *signer {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is missing")
		}
		t.Skip("SKIPPED: node is missing, which signs the vectors")
	}
	s, err := startSigner()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
