package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// webhook runs `hooklatch webhook` and returns its output and exit status.
func webhook(t *testing.T, input string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(harness.Binary(t), append([]string{"webhook"}, args...)...)
	cmd.Env = append(harness.BareEnv(t.TempDir()), harness.Secrets()...)
	cmd.Stdin = strings.NewReader(input)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for _, p := range harness.Providers() {
		if bytes.Contains(said, []byte(harness.SecretOf(p.Name))) {
			t.Errorf("webhook %s prints the secret", args[0])
		}
	}
	return string(said), cmd.ProcessState.ExitCode()
}

// TestWebhookSign: the command signs a delivery as the provider would, and the
// gateway accepts it.
func TestWebhookSign(t *testing.T) {
	t.Parallel()
	g, app := allProviders(t, "replay off")
	const body = `{"signed":"by the command"}`
	for _, p := range harness.Providers() {
		t.Run(p.Name, func(t *testing.T) {
			args := []string{"sign", "--scheme", p.Name, "--secret", "env:" + harness.SecretVariable(p.Name)}
			if p.Name == "mceasy" {
				args = append(args, "--event", "6")
			}
			said, code := webhook(t, body, append(args, "-")...)
			if code != 0 {
				t.Fatalf("exit status %d: %s", code, said)
			}
			d := p.Deliver(body)
			d.Headers = nil
			for line := range strings.Lines(said) {
				if name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ": "); found {
					d = d.Plus(name, value)
				}
			}
			g.Send(t, d).Accepted(t)
			got := app.With(d.Path)
			if len(got) != 1 {
				t.Fatalf("the application received it %d times", len(got))
			}
			got[0].Carries(t, d)
		})
	}
}

// TestWebhookSend: the command delivers to the gateway and shows its answer.
func TestWebhookSend(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	args := []string{"send", "--scheme", "craneops", "--secret", "env:CRANEOPS_SECRET", "--to", "http://" + g.Addr + "/craneops"}
	said, code := webhook(t, `{}`, append(args, "--repeat", "2", "-")...)
	if code != 0 || strings.Count(said, "200") < 2 {
		t.Errorf("exit status %d: %s", code, said)
	}
	app.Saw(t, 1)
	if got := app.CountBody([]byte(`{}`)); got != 1 {
		t.Errorf("the application received the body %d times", got)
	}
}

// TestWebhookVerify verifies deliveries that this package signed.
func TestWebhookVerify(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cases := []struct {
		name   string
		scheme string
		sent   harness.Delivery
		says   string
		code   int
	}{
		{"accepted", "cryptr", harness.Cryptr(`{}`, now), "accepted", 0},
		{"mceasy", "mceasy", harness.McEasy(`{}`, now, "6", "48213"), "accepted", 0},
		{"mismatch", "craneops", harness.CraneOps(`{}`).Saying([]byte(`{ }`)), "signature_mismatch", 1},
		{"stale", "cryptr", harness.Cryptr(`{}`, now.Add(-time.Hour)), "stale", 1},
		{"missing", "easytools", harness.Easytools(`{}`).Without("X-Webhook-Signature"), "missing_signature", 1},
		{"no such scheme", "crnaeops", harness.CraneOps(`{}`), "", 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			headers := headersFile(t, c.sent)
			secret := "env:" + harness.SecretVariable(c.scheme)
			if c.code == 2 {
				secret = "env:CRANEOPS_SECRET"
			}
			said, code := webhook(t, string(c.sent.Body), "verify", "--scheme", c.scheme, "--secret", secret, "--headers", headers, "-")
			if code != c.code || !strings.Contains(said, c.says) {
				t.Errorf("exit status %d, not %d with %q: %s", code, c.code, c.says, said)
			}
		})
	}
}

// headersFile writes the headers of a delivery to a file, one per line.
func headersFile(t *testing.T, d harness.Delivery) string {
	t.Helper()
	var text strings.Builder
	for _, h := range d.Headers {
		text.WriteString(h.Name + ": " + h.Value + "\n")
	}
	path := filepath.Join(t.TempDir(), "headers")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWebhookVerifyExplains: the command explains a body that was kept with an
// extra line end.
func TestWebhookVerifyExplains(t *testing.T) {
	t.Parallel()
	sent := harness.CraneOps(`{"event":"booking.created"}`)
	said, code := webhook(t, string(sent.Body)+"\n", "verify", "--scheme", "craneops", "--secret", "env:CRANEOPS_SECRET", "--headers", headersFile(t, sent))
	if code != 1 || !strings.Contains(said, "\nexplained by:   the body has a line end at its end that is not signed\nwhat to do:     take it off") {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// TestWebhookDefinition signs and verifies with a definition that no provider
// uses.
func TestWebhookDefinition(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	definition, headers := filepath.Join(dir, "definition"), filepath.Join(dir, "headers")
	const text = `{"algorithm":"hmac-sha512","signature":{"header":"X-Acme-Signature","encoding":"base64"},"signed":"{id}:{body}","id":{"header":"X-Acme-Id"}}`
	if err := os.WriteFile(definition, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--definition", definition, "--secret", "env:CRANEOPS_SECRET"}
	said, code := webhook(t, `{}`, append([]string{"sign", "--id", "evt_1"}, args...)...)
	mac := hmac.New(sha512.New, []byte(harness.SecretOf("craneops")))
	mac.Write([]byte("evt_1:{}"))
	if want := "X-Acme-Signature: " + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + "\nX-Acme-Id: evt_1\n"; code != 0 || said != want {
		t.Fatalf("exit status %d: %s, want %s", code, said, want)
	}
	if err := os.WriteFile(headers, []byte(said), 0o600); err != nil {
		t.Fatal(err)
	}
	said, code = webhook(t, `{}`, append([]string{"verify", "--headers", headers}, args...)...)
	if code != 0 || !strings.Contains(said, "\nid:             evt_1\n") {
		t.Errorf("exit status %d: %s", code, said)
	}
	said, code = webhook(t, "", "schemes", "--definition", definition, "--scheme", "acme")
	if code != 0 || !strings.Contains(said, "acme    X-Acme-Signature  text    none\n    signs {id}:{body}\n") {
		t.Errorf("exit status %d: %s", code, said)
	}
}

func TestWebhookSchemes(t *testing.T) {
	t.Parallel()
	said, code := webhook(t, "", "schemes")
	if code != 0 {
		t.Errorf("exit status %d", code)
	}
	for _, p := range harness.Providers() {
		if !strings.Contains(said, p.Name) {
			t.Errorf("%s is not among the schemes:\n%s", p.Name, said)
		}
	}
}
