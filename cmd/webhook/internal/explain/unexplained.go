package explain

import "strings"

// Unexplained says what was tried in vain for a signature that does not match,
// and what to look at next.
func (d *Delivery) Unexplained() (tried, do string) {
	all := []string{"the secret encoded, decoded, trimmed and quoted", "the body with other line ends, encoded, or empty"}
	if len(d.Body) <= maxRewritten {
		all = append(all, "its JSON written otherwise")
	}
	if d.Scheme.SignsRequest {
		all = append(all, "another scheme, host, port, path and query of the URL, and other methods")
	}
	if d.Definition != nil {
		all = append(all, "the parts of signed in other orders and with other separators, and signature and time wherever the headers can have them")
	}
	all = append(all, "other units of the time", "older versions of the signature", "all other schemes")
	do = "look whether the secret is the one of this webhook in this environment, and compare the signed bytes with the provider's own record of the delivery"
	if len(d.Body) == 0 {
		do = "the body that was kept is empty: keep it as it was sent; if it is meant to be, " + do
	}
	return strings.Join(all, "; "), do
}
