package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestSavedDelivery: a saved delivery whose scheme signs the URL verifies
// unchanged, with and without public_url.
func TestSavedDelivery(t *testing.T) {
	t.Parallel()
	const secret, body = "twilio-canary", "A=1&B=2"
	for name, c := range map[string]struct{ option, signed string }{
		"as it was sent":    {"", ""},
		"behind public_url": {"public_url https://hooks.example.com/prefix", "https://hooks.example.com/prefix"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := harness.NewApplication(t)
			g := harness.Start(t, harness.OpenSite(harness.Route("/twilio",
				harness.Verify("twilio", "TWILIO_SECRET", "capture {\nof all\n}", c.option), "reverse_proxy "+app.Addr)), "TWILIO_SECRET="+secret)
			signed := c.signed
			if signed == "" {
				signed = "http://" + g.Addr
			}
			mac := hmac.New(sha1.New, []byte(secret))
			mac.Write([]byte(signed + "/twilio/a%20b?c=d&e=%2FA1B2"))
			g.Send(t, harness.Delivery{
				Method: http.MethodPost, Path: "/twilio/a%20b?c=d&e=%2F", Body: []byte(body),
				Headers: []harness.Header{
					{Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
					{Name: "X-Twilio-Signature", Value: base64.StdEncoding.EncodeToString(mac.Sum(nil))},
				},
			}).Accepted(t)
			number := jsonNumber(listed(t, g)[0].Number)

			shown := filepath.Join(t.TempDir(), "shown")
			if said, code := webhook(t, "", "show", number, "--save", shown, "--address", g.Admin); code != 0 {
				t.Fatalf("exit status %d: %s", code, said)
			}
			page := inspect(t, g.Admin)
			saved := t.TempDir()
			for _, file := range []string{"headers.txt", "body.json"} {
				a, err := harness.Read(http.Get(page + file + "?number=" + number))
				if err != nil || a.Status != http.StatusOK {
					t.Fatalf("%s: %d %v", file, a.Status, err)
				}
				if err := os.WriteFile(filepath.Join(saved, file), a.Body, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, dir := range []string{shown, saved} {
				headers, err := os.ReadFile(filepath.Join(dir, "headers.txt"))
				if err != nil || !strings.Contains(string(headers), "Host: "+g.Addr+"\n") {
					t.Errorf("%s: %v", headers, err)
				}
				said, code := webhook(t, "", "verify", "--scheme", "twilio", "--secret", secret,
					"--headers", filepath.Join(dir, "headers.txt"), filepath.Join(dir, "body.json"))
				if code != 0 || !strings.Contains(said, "accepted") {
					t.Errorf("exit status %d: %s\n%s", code, said, headers)
				}
			}
			// The command that the page offers for copying has the URL too.
			a, err := harness.Read(http.Get(page + number))
			if err != nil || !strings.Contains(string(a.Body), "--url &#39;"+signed+"/twilio/a%20b?c=d&amp;e=%2F&#39;") {
				t.Errorf("the page: %v\n%s", err, a.Body)
			}
		})
	}
}
