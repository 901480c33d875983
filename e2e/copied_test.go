package e2e

import "testing"

// TestCopiedRequest: a handler in front may pass on a copy of the request, and
// handle_errors gets the original. Nothing unverified is in that one either.
func TestCopiedRequest(t *testing.T) {
	t.Parallel()
	app, auth, failures := newApplication(t), newApplication(t), newApplication(t)
	g := start(t, bareSite(
		route("/craneops",
			"forward_auth "+auth.addr+" {\nuri /auth\n}",
			verify("craneops", "CRANEOPS_SECRET"),
			"reverse_proxy "+app.addr),
		"handle_errors {\nreverse_proxy "+failures.addr+"\n}",
	), secrets()...)
	forged := craneops(`{"forged":true}`).with("X-CraneOps-Signature", hexMAC("another", `{}`))
	for name, text := range map[string]string{
		"with a length":  forged.whole(),
		"unsigned":       forged.without("X-CraneOps-Signature").whole(),
		"with a trailer": forged.chunked([]string{"Trailer: Webhook-Verdict"}, "Webhook-Verdict: accepted"),
		"with a trailer, unsigned": forged.without("X-CraneOps-Signature").
			chunked([]string{"Trailer: Webhook-Verdict"}, "Webhook-Verdict: accepted"),
		"that waits and does not": forged.without("X-CraneOps-Signature").whole("Expect: 100-continue"),
	} {
		t.Run(name, func(t *testing.T) {
			g.exchange(t, text) // what the error service makes of it is its business
			for _, got := range failures.all() {
				if len(got.body) != 0 || len(got.trailer) != 0 || got.header.Get("Webhook-Verdict") != "" {
					t.Errorf("the error service received %q %v %v", got.body, got.trailer, got.header)
				}
			}
		})
	}
	app.saw(t, 0)
}
