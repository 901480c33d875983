package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestZoomHandshakeOfItsLibrary: Zoom's own library gives the same answer.
func TestZoomHandshakeOfItsLibrary(t *testing.T) {
	t.Parallel()
	harness.Needs(t, "node")
	harness.Needs(t, "npm")
	if err := installedOfficial(); err != nil {
		t.Fatal(err)
	}
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Route("/zoom", harness.Verify("zoom", "ZOOM_SECRET", "handshake"), "reverse_proxy "+app.Addr)), "ZOOM_SECRET="+zoomSecret)
	const body = `{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}`
	d := v0("/zoom", "x-zm-signature", "x-zm-request-timestamp", zoomSecret, body, time.Now())

	headers := map[string]string{}
	for _, h := range d.Headers {
		headers[h.Name] = h.Value
	}
	asked, err := json.Marshal(map[string]any{"secret": zoomSecret, "headers": headers, "body": body})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(nodeOfficial, "handshake.mjs"))
	cmd.Stdin = bytes.NewReader(asked)
	said, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs struct {
		Status int
		Body   string
	}
	if err := json.Unmarshal(said, &theirs); err != nil {
		t.Fatalf("%s: %v", said, err)
	}
	ours := g.Send(t, d)
	var want, got map[string]string
	if err := json.Unmarshal([]byte(theirs.Body), &want); err != nil || theirs.Status != http.StatusOK || len(want) != 2 {
		t.Fatalf("the library answers %s: %v", said, err)
	}
	if err := json.Unmarshal(ours.Body, &got); err != nil || ours.Status != http.StatusOK {
		t.Fatalf("answered %d %q: %v", ours.Status, ours.Body, err)
	}
	for _, name := range []string{"plainToken", "encryptedToken"} {
		if want[name] == "" || got[name] != want[name] {
			t.Errorf("%s is %q, the library's %q", name, got[name], want[name])
		}
	}
}
