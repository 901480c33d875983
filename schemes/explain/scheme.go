package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// otherScheme looks for the schemes that accept the delivery.
func (d *Delivery) otherScheme() []Finding {
	var names []string
	for _, s := range d.otherSchemes() {
		if matches(d.verifier(s), d.Request, d.Body) {
			names = append(names, s.Name)
		}
	}
	if names == nil {
		return nil
	}
	all := strings.Join(names, " or ")
	return []Finding{{
		"it is a delivery of another provider: as " + all + " it is authentic",
		fmt.Sprintf("write the scheme %s, or point the sender at the endpoint that has it", all),
	}}
}

// otherHeaders looks for the schemes whose signature header is there while
// this scheme's is not there.
func (d *Delivery) otherHeaders() []Finding {
	for _, header := range append([]string{d.Scheme.SignatureHeader}, d.Scheme.AliasHeaders...) {
		if d.Request.Header.Get(header) != "" {
			return nil
		}
	}
	var names []string
	for _, s := range d.otherSchemes() {
		for _, header := range append([]string{s.SignatureHeader}, s.AliasHeaders...) {
			if d.Request.Header.Get(header) != "" && !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	if names == nil {
		return nil
	}
	all := strings.Join(names, " or ")
	return []Finding{{
		"the headers are those of another provider: " + all,
		fmt.Sprintf("write the scheme %s with its secret, or point the sender at the endpoint that has it", all),
	}}
}

func (d *Delivery) otherSchemes() []*schemes.Scheme {
	return slices.DeleteFunc(schemes.All(), func(s *schemes.Scheme) bool { return s.Name == d.Scheme.Name })
}
