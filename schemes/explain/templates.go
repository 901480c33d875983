package explain

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// onlyBody is the text that a definition signs if it says nothing else.
const onlyBody = "{body}"

const (
	timestampVar = "{timestamp}"
	idVar        = "{id}"
)

var variable = regexp.MustCompile(`\{[^{}]+\}`)

// separators are what providers put between the parts that they sign.
var separators = []string{".", "", ":", "|", "\n", ",", "-", "_", ";", " ", "|>"}

// maxVariables bounds the orders that are tried.
const maxVariables = 4

// templates are the texts that can be signed in place of the one that the
// definition has, which comes first: the same parts with and without time and id,
// in all orders, with all separators, and with a version such as v0 in front. Of
// a large body only the definition's own is tried.
func (d *Delivery) templates() []string {
	own := cmp.Or(d.Definition.Signed, onlyBody)
	all := []string{own}
	if len(d.Body) > maxPaired {
		return all
	}
	variables := variable.FindAllString(own, -1)
	rest := slices.DeleteFunc(slices.Clone(variables), func(v string) bool { return v == timestampVar || v == idVar })
	fronts := unique(slices.Concat([]string{""}, d.versions(), []string{"v0", "v1"}))
	for _, parts := range [][]string{
		variables,
		slices.Concat([]string{timestampVar}, rest),
		rest,
		slices.Concat([]string{idVar}, rest),
		slices.Concat([]string{idVar, timestampVar}, rest),
	} {
		if len(parts) > maxVariables {
			continue
		}
		for _, front := range fronts {
			for _, order := range orders(parts) {
				if front != "" {
					order = slices.Concat([]string{front}, order)
				}
				for _, separator := range separators {
					all = append(all, strings.Join(order, separator))
				}
			}
		}
	}
	return unique(all)
}

// unique leaves the first of several that are the same.
func unique(all []string) (once []string) {
	seen := map[string]bool{}
	for _, text := range all {
		if !seen[text] {
			seen[text] = true
			once = append(once, text)
		}
	}
	return once
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
