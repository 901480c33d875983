package e2e

import (
	"net/http"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestTracingBeforeAReaderOfTheBody tests the order that docs/limits.md warns
// about: Caddy puts the body that it has read into the request that tracing
// copied from, and nothing is left to verify. The other order works.
func TestTracingBeforeAReaderOfTheBody(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	const reader = "vars read {http.request.body}"
	g := harness.Start(t, harness.OpenSite(
		harness.Route("/sound", reader, "tracing", harness.Verify("craneops", "CRANEOPS_SECRET", "provider sound"), "reverse_proxy "+app.Addr),
		harness.Route("/unsound", "tracing", reader, harness.Verify("craneops", "CRANEOPS_SECRET", "provider unsound"), "reverse_proxy "+app.Addr),
	), append(harness.Secrets(), "OTEL_TRACES_EXPORTER=none")...)
	g.Send(t, harness.CraneOps(`{"n":1}`).To("/sound")).Accepted(t)
	app.Saw(t, 1)
	g.Send(t, harness.CraneOps(`{"n":1}`).To("/unsound")).Is(t, http.StatusUnauthorized, "rejected", "signature_mismatch")
	app.Saw(t, 1)
}
