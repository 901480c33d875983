package module

import (
	"fmt"

	"github.com/hooklatch/hooklatch/schemes"
)

// checkPublicURL refuses a URL that nothing depends on.
func (h *Handler) checkPublicURL(scheme *schemes.Scheme) error {
	if h.PublicURL == "" {
		return nil
	}
	if !scheme.SignsRequest {
		return fmt.Errorf("public_url: %s does not sign the URL, so nothing depends on it; leave public_url out", scheme.Name)
	}
	if _, err := schemes.ParsePublicURL(h.PublicURL); err != nil {
		return fmt.Errorf("public_url: %w", err)
	}
	return nil
}
