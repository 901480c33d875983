package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// Acme is the invented provider in the examples of user-defined schemes. It
// signs as the comment in the Caddyfile says.
const acmeSecret = "e2e-canary-acme-8Kc3Tn6V"

var acmeProvider = harness.Provider{Name: "acme", Signature: "X-Acme-Signature", Signed: nil, Deliver: func(body string) harness.Delivery { return acme(body, time.Now()) }}

func acme(body string, at time.Time) harness.Delivery {
	t := harness.Unix(at)
	return harness.Delivery{Method: http.MethodPost, Path: "/acme", Body: []byte(body), Headers: []harness.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "X-Acme-Signature", Value: "t=" + t + ",v1=" + harness.HexMAC(acmeSecret, t, ".", body)},
	}}
}

// useOwnScheme checks the effects of the definition: the time is checked, and
// the id identifies a delivery.
func useOwnScheme(t *testing.T, s *staged) {
	to := func(d harness.Delivery) harness.Delivery { return d.To("/acme?token=" + queryToken) }
	s.step(t, to(acme(`{"id":"evt_2"}`, time.Now().Add(-time.Hour)))).refused(t, "stale", false)
	s.step(t, to(acme(`{"id":"evt_3","attempt":1}`, time.Now()))).is(t, http.StatusOK, "accepted", "")
	s.step(t, to(acme(`{"id":"evt_3","attempt":2}`, time.Now()))).is(t, http.StatusOK, "duplicate", "duplicate")
	s.step(t, to(acme(`{}`, time.Now())).With("X-Acme-Signature", "t=1,v2="+strings.Repeat("0", 64))).refused(t, "malformed_signature", false)
}

// useThirdParty also checks that the command lists the scheme.
func useThirdParty(t *testing.T, s *staged) {
	useOwnScheme(t, s)
	said, err := s.Command("webhook", "schemes").Output()
	if err != nil || !strings.Contains(string(said), "X-Acme-Signature") {
		t.Errorf("webhook schemes: %v\n%s", err, said)
	}
}

// thirdPartyBinary builds the binary as the example's README says.
func thirdPartyBinary(t *testing.T) string {
	t.Helper()
	return harness.Must(t, builtThirdParty)
}

var builtThirdParty = sync.OnceValues(func() (string, error) {
	root, err := harness.Repository()
	if err != nil {
		return "", err
	}
	return harness.Build("hooklatch-acme", "HOOKLATCH_ACME_BINARY", nil,
		"--with", "acme.example/hooklatch-acme@v0.0.0="+filepath.Join(root, "examples", "third-party-scheme"))
})
