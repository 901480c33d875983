package e2e

import (
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestCopiedRequest: an earlier handler may pass on a copy of the request, and
// handle_errors gets the original. The original contains no unverified headers
// either.
func TestCopiedRequest(t *testing.T) {
	t.Parallel()
	app, auth, failures := harness.NewApplication(t), harness.NewApplication(t), harness.NewApplication(t)
	g := harness.Start(t, harness.BareSite(
		harness.Route("/craneops",
			"forward_auth "+auth.Addr+" {\nuri /auth\n}",
			harness.Verify("craneops", "CRANEOPS_SECRET"),
			"reverse_proxy "+app.Addr),
		"handle_errors {\nreverse_proxy "+failures.Addr+"\n}",
	), harness.Secrets()...)
	forged := harness.CraneOps(`{"forged":true}`).With("X-CraneOps-Signature", harness.HexMAC("another", `{}`))
	for name, text := range map[string]string{
		"with a length":  forged.Whole(),
		"unsigned":       forged.Without("X-CraneOps-Signature").Whole(),
		"with a trailer": forged.Chunked([]string{"Trailer: Webhook-Verdict"}, "Webhook-Verdict: accepted"),
		"with a trailer, unsigned": forged.Without("X-CraneOps-Signature").
			Chunked([]string{"Trailer: Webhook-Verdict"}, "Webhook-Verdict: accepted"),
		"that waits and does not": forged.Without("X-CraneOps-Signature").Whole("Expect: 100-continue"),
	} {
		t.Run(name, func(t *testing.T) {
			g.Exchange(t, text) // the answer of the error service does not matter
			for _, got := range failures.All() {
				if len(got.Body) != 0 || len(got.Trailer) != 0 || got.Header.Get("Webhook-Verdict") != "" {
					t.Errorf("the error service received %q %v %v", got.Body, got.Trailer, got.Header)
				}
			}
		})
	}
	app.Saw(t, 0)
}
