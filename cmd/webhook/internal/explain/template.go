package explain

import (
	"regexp"
	"slices"
	"strings"
)

var variable = regexp.MustCompile(`\{[^{}]+\}`)

// separators are what providers put between the parts that they sign.
var separators = []string{".", "", ":", "|", "\n", ",", "-", "_", ";", " ", "|>"}

// maxVariables bounds the orders that are tried.
const maxVariables = 4

// template looks for the text that was signed in place of the one that a
// definition of the user's own has: the same parts in another order, or with
// something else in between.
func (d *Delivery) template() []Finding {
	if d.Definition == nil {
		return nil
	}
	variables := variable.FindAllString(d.Definition.Signed, -1)
	if len(variables) < 2 || len(variables) > maxVariables {
		return nil
	}
	for _, order := range orders(variables) {
		for _, separator := range separators {
			changed := *d.Definition
			changed.Signed = strings.Join(order, separator)
			scheme, err := changed.Compile(d.Scheme.Name)
			if err != nil {
				continue // it could be cut elsewhere
			}
			if matches(d.verifier(scheme), d.Request, d.Body) {
				signed := strings.ReplaceAll(changed.Signed, "\n", `\n`)
				return []Finding{{"the sender signed " + signed, "write signed " + signed + " in the definition"}}
			}
		}
	}
	return nil
}

// orders are all orders of some parts, the given one first.
func orders(parts []string) [][]string {
	if len(parts) < 2 {
		return [][]string{parts}
	}
	var all [][]string
	for i, first := range parts {
		for _, rest := range orders(slices.Concat(parts[:i], parts[i+1:])) {
			all = append(all, append([]string{first}, rest...))
		}
	}
	return all
}
