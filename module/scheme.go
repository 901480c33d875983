package module

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// findScheme finds the scheme by its name, or makes the user's own.
func (h *Handler) findScheme() (*schemes.Scheme, error) {
	known, ok := schemes.Get(h.Scheme)
	switch {
	case h.SchemeDefinition != nil && ok:
		return nil, fmt.Errorf("scheme_definition: there is a scheme %s already, and only one of the two could apply; give yours another name, or leave the definition out", h.Scheme)
	case h.SchemeDefinition != nil:
		own, err := h.SchemeDefinition.Compile(h.Scheme)
		if err != nil {
			return nil, fmt.Errorf("scheme_definition: %w", err)
		}
		return own, nil
	case !ok:
		return nil, fmt.Errorf("unknown scheme; write one of %s, or describe one of your own with scheme_definition",
			strings.Join(schemes.Names(), ", "))
	}
	return known, nil
}

// definitionText brings a definition into a form in which two of them can be
// compared. Where it is taken from makes no difference.
func definitionText(d *schemes.Definition) string {
	if d == nil {
		return ""
	}
	signs := *d
	signs.Source = ""
	text, _ := json.Marshal(signs) // nothing in it can fail
	return string(text)
}
