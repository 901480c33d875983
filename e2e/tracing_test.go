package e2e

import (
	"net/http"
	"testing"
)

// TestTracingBeforeAReaderOfTheBody is what the README says of this order: Caddy
// puts the body that it has read into the request that tracing copied from, and
// nothing is left to verify. The other order is sound.
func TestTracingBeforeAReaderOfTheBody(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	const reader = "vars read {http.request.body}"
	g := start(t, openSite(
		route("/sound", reader, "tracing", verify("craneops", "CRANEOPS_SECRET", "provider sound"), "reverse_proxy "+app.addr),
		route("/unsound", "tracing", reader, verify("craneops", "CRANEOPS_SECRET", "provider unsound"), "reverse_proxy "+app.addr),
	), append(secrets(), "OTEL_TRACES_EXPORTER=none")...)
	g.send(t, craneops(`{"n":1}`).to("/sound")).accepted(t)
	app.saw(t, 1)
	g.send(t, craneops(`{"n":1}`).to("/unsound")).is(t, http.StatusUnauthorized, "rejected", "signature_mismatch")
	app.saw(t, 1)
}
