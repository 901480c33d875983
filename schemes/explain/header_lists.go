package explain

import (
	"cmp"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// placed is a value of the delivery's headers, and where it is.
type placed struct {
	place schemes.Place
	value string
}

// places are all headers, and the entries of those that are lists.
func (d *Delivery) places() iter.Seq[placed] {
	return func(yield func(placed) bool) {
		seen := map[placed]bool{}
		going := true
		try := func(p placed) {
			if going && !seen[p] {
				seen[p] = true
				going = yield(p)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(d.Request.Header)) {
			value := d.Request.Header.Get(name)
			try(placed{schemes.Place{Header: name}, value})
			for _, l := range lists(value) {
				for _, e := range l.entries {
					try(placed{schemes.Place{Field: e.name}, e.value})
				}
			}
		}
	}
}

// list is a header read as entries with names.
type list struct {
	separator, assign string // assign is empty for =
	entries           []namedEntry
}

type namedEntry struct{ name, value string }

var entryName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}$`)

// lists are the ways to read a header as a list.
func lists(value string) (all []list) {
	for _, separator := range []string{", ", ",", "; ", ";", "|", "&", " "} {
		for _, assign := range []string{"", ":", ","} {
			l := list{separator: separator, assign: assign}
			for text := range strings.SplitSeq(value, separator) {
				name, value, ok := strings.Cut(text, cmp.Or(assign, "="))
				if ok && entryName.MatchString(name) {
					l.entries = append(l.entries, namedEntry{name, value})
				}
			}
			if len(l.entries) > 1 {
				all = append(all, l)
			}
		}
	}
	return all
}
