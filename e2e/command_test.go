package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// webhook runs the command of that name and returns its output and exit status.
func webhook(t *testing.T, input string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(binary(t), append([]string{"webhook"}, args...)...)
	cmd.Env = append(bareEnv(t.TempDir()), secrets()...)
	cmd.Stdin = strings.NewReader(input)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for _, p := range providers() {
		if bytes.Contains(said, []byte(secretOf(p.name))) {
			t.Errorf("webhook %s prints the secret", args[0])
		}
	}
	return string(said), cmd.ProcessState.ExitCode()
}

// TestWebhookSign: what the command signs is what the provider would send, and
// the gateway accepts it.
func TestWebhookSign(t *testing.T) {
	t.Parallel()
	g, app := allProviders(t, "replay off")
	const body = `{"signed":"by the command"}`
	for _, p := range providers() {
		t.Run(p.name, func(t *testing.T) {
			args := []string{"sign", "--scheme", p.name, "--secret", "env:" + secretVariable(p.name)}
			if p.name == "mceasy" {
				args = append(args, "--event", "6")
			}
			said, code := webhook(t, body, append(args, "-")...)
			if code != 0 {
				t.Fatalf("exit status %d: %s", code, said)
			}
			d := p.deliver(body)
			d.headers = nil
			for line := range strings.Lines(said) {
				if name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ": "); found {
					d = d.plus(name, value)
				}
			}
			send(t, g, d).accepted(t)
			got := app.with(d.path)
			if len(got) != 1 {
				t.Fatalf("the application received it %d times", len(got))
			}
			got[0].carries(t, d)
		})
	}
}

// TestWebhookSend: the command delivers to the gateway and shows its answer.
func TestWebhookSend(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	args := []string{"send", "--scheme", "craneops", "--secret", "env:CRANEOPS_SECRET", "--to", "http://" + g.addr + "/craneops"}
	said, code := webhook(t, `{}`, append(args, "--repeat", "2", "-")...)
	if code != 0 || strings.Count(said, "200") < 2 {
		t.Errorf("exit status %d: %s", code, said)
	}
	app.saw(t, 1)
	if got := app.countBody([]byte(`{}`)); got != 1 {
		t.Errorf("the application received the body %d times", got)
	}
}

// TestWebhookVerify judges deliveries that this package signed.
func TestWebhookVerify(t *testing.T) {
	t.Parallel()
	now := time.Now()
	cases := []struct {
		name   string
		scheme string
		sent   delivery
		says   string
		code   int
	}{
		{"accepted", "cryptr", cryptr(`{}`, now), "accepted", 0},
		{"mceasy", "mceasy", mceasy(`{}`, now, "6", "48213"), "accepted", 0},
		{"mismatch", "craneops", craneops(`{}`).saying([]byte(`{ }`)), "signature_mismatch", 1},
		{"stale", "cryptr", cryptr(`{}`, now.Add(-time.Hour)), "stale", 1},
		{"missing", "easytools", easytools(`{}`).without("X-Webhook-Signature"), "missing_signature", 1},
		{"no such scheme", "crnaeops", craneops(`{}`), "", 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var text strings.Builder
			for _, h := range c.sent.headers {
				text.WriteString(h.name + ": " + h.value + "\n")
			}
			headers := filepath.Join(t.TempDir(), "headers")
			if err := os.WriteFile(headers, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			secret := "env:" + secretVariable(c.scheme)
			if c.code == 2 {
				secret = "env:CRANEOPS_SECRET"
			}
			said, code := webhook(t, string(c.sent.body), "verify", "--scheme", c.scheme, "--secret", secret, "--headers", headers, "-")
			if code != c.code || !strings.Contains(said, c.says) {
				t.Errorf("exit status %d, not %d with %q: %s", code, c.code, c.says, said)
			}
		})
	}
}

func TestWebhookSchemes(t *testing.T) {
	t.Parallel()
	said, code := webhook(t, "", "schemes")
	if code != 0 {
		t.Errorf("exit status %d", code)
	}
	for _, p := range providers() {
		if !strings.Contains(said, p.name) {
			t.Errorf("%s is not among the schemes:\n%s", p.name, said)
		}
	}
}
