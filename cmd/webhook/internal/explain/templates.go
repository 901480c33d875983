package explain

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// onlyBody is the text that a definition signs if it says nothing else.
const onlyBody = "{body}"

const timestampVar = "{timestamp}"

var variable = regexp.MustCompile(`\{[^{}]+\}`)

// separators are what providers put between the parts that they sign.
var separators = []string{".", "", ":", "|", "\n", ",", "-", "_", ";", " ", "|>"}

// maxVariables bounds the orders that are tried.
const maxVariables = 4

// templates are the texts that can be signed in place of the one that a
// definition has, which comes first: the same parts in other orders and with
// something else in between, and with the time if it is not among them.
func templates(signed string) []string {
	all := []string{cmp.Or(signed, onlyBody)}
	variables := variable.FindAllString(all[0], -1)
	sets := [][]string{variables}
	if !slices.Contains(variables, timestampVar) {
		sets = append(sets, append([]string{timestampVar}, variables...))
	}
	for _, parts := range sets {
		if len(parts) > maxVariables {
			continue
		}
		for _, order := range orders(parts) {
			for _, separator := range separators {
				if text := strings.Join(order, separator); !slices.Contains(all, text) {
					all = append(all, text)
				}
			}
		}
	}
	return all
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
