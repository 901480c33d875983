package module

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// publicURL is where senders reach the gateway, as they write it. The prefix is
// what something in front has taken away from the beginning of the path.
type publicURL struct {
	scheme, host, prefix string
}

var errPublicURL = errors.New("public_url: this is not the beginning of a URL; write it as the provider has it, such as https://hooks.example.com, with the port if there is one, and a path only if a proxy takes it away; no user, query, fragment or placeholder")

// checkPublicURL refuses a URL that nothing depends on.
func (h *Handler) checkPublicURL(scheme *schemes.Scheme) error {
	if h.PublicURL == "" {
		return nil
	}
	if !scheme.SignsRequest {
		return fmt.Errorf("public_url: %s does not sign the URL, so nothing depends on it; leave public_url out", scheme.Name)
	}
	_, err := parsePublicURL(h.PublicURL)
	return err
}

// parsePublicURL takes the text as it is: what is signed is the provider's
// spelling, in which :443 and the case of letters count.
func parsePublicURL(text string) (publicURL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return publicURL{}, errPublicURL
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != u.Scheme || strings.Trim(rest, urlCharacters) != "" {
		return publicURL{}, errPublicURL
	}
	host, path, _ := strings.Cut(rest, "/")
	p := publicURL{scheme: scheme, host: host}
	if path = strings.TrimSuffix(path, "/"); path != "" {
		p.prefix = "/" + path
	}
	return p, nil
}

// urlCharacters are those of host and path (RFC 3986, 3.2 and 3.3).
const urlCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:/%[]"
