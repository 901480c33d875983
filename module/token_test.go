package module

import (
	"net/http"
	"testing"

	"go.uber.org/zap"
)

// TestTokenIsNamed checks that the log says that GitLab's old token is no
// signature, without repeating it.
func TestTokenIsNamed(t *testing.T) {
	g := newGateway(t, options{"scheme": "gitlab", "secrets": []string{goodSigningKey}}, nil)
	expect(t, g.send(t, http.Header{"X-Gitlab-Token": {"sometoken"}}, body), http.StatusUnauthorized, "rejected missing_signature")
	const hint = "X-Gitlab-Token is present: it is a secret that is sent as it is, and no signature; give the provider's webhook a secret that signs"
	if g.logs.FilterField(zap.String("hint", hint)).Len() != 1 {
		t.Errorf("log %v", g.logs.All())
	}
	expect(t, g.send(t, http.Header{}, body), http.StatusUnauthorized, "rejected missing_signature")
	if g.logs.FilterField(zap.String("hint", hint)).Len() != 1 {
		t.Errorf("the hint is given without the header: %v", g.logs.All())
	}
}
