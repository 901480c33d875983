package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestFloodOfRejected: an attacker who floods the list with rejected deliveries
// and markup pushes out no authentic delivery, and the page still works.
func TestFloodOfRejected(t *testing.T) {
	t.Parallel()
	const authentic, senders, each = 5, 4, 500
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "capture {\nof all\n}")), append(harness.Secrets(), "E2E_LOG_LEVEL=INFO")...)
	for n := range authentic {
		g.Send(t, harness.CraneOps(fmt.Sprintf(`{"n":%d}`, n))).Accepted(t)
	}

	const markup = "<script>"
	target := &url.URL{Scheme: "http", Host: g.Addr, Opaque: "/craneops/" + markup + strings.Repeat("<", 230)}
	var flood sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}, Timeout: harness.Patience}
	defer client.CloseIdleConnections()
	for range senders {
		flood.Go(func() {
			for range each {
				r := &http.Request{Method: http.MethodPost, URL: target, Header: http.Header{
					"X-Craneops-Signature": {strings.Repeat("0", 64)}, "X-Markup": {markup},
				}, Body: io.NopCloser(strings.NewReader(markup)), ContentLength: int64(len(markup))}
				if a, err := harness.Read(client.Do(r)); err != nil || a.Status != http.StatusUnauthorized {
					t.Errorf("%d %v", a.Status, err)
					return
				}
			}
		})
	}
	flood.Wait()

	for _, d := range listed(t, g, "--verdict", "accepted") {
		if !d.Captured {
			t.Errorf("%d is not captured any more", d.Number)
		}
	}
	if n := len(listed(t, g, "--verdict", "accepted")); n != authentic {
		t.Errorf("%d authentic ones are listed", n)
	}
	if n := len(listed(t, g, "--limit", "10000")); n != 500+authentic {
		t.Errorf("%d are listed", n)
	}
	page := inspect(t, g.Admin)
	for path, says := range map[string]string{"": "500 of 505 deliveries did not arrive", "?verdict=accepted": "All 5 deliveries arrived"} {
		a, err := harness.Read(http.Get(page + path))
		if err != nil || a.Status != http.StatusOK || !strings.Contains(string(a.Body), says) || strings.Contains(string(a.Body), markup) {
			t.Errorf("%q: %d %v, %d bytes", path, a.Status, err, len(a.Body))
		}
	}
	app.Saw(t, authentic)
}
