package explain

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// versionLabel is the label of an entry, such as v0, at the end of what stands
// in front of it.
var versionLabel = regexp.MustCompile(`(?:^|[^0-9A-Za-z])v(\d+)(?:[=,:]|=sha256[.=])$`)

// version reads the label of an entry, or gives -1.
func version(value string, e entry) int {
	found := versionLabel.FindStringSubmatch(value[:e.start])
	if found == nil {
		return -1
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		return -1
	}
	return n
}

// label looks for an entry that matches and that the scheme passes over. What a
// version means is known of the built-in schemes only.
func (d *Delivery) label() []Finding {
	if d.Definition != nil {
		return nil
	}
	name, value, sent := d.entries()
	v := d.verifier(d.Scheme)
	for _, from := range sent {
		for _, to := range sent {
			if n := version(value, from); from != to && n >= 0 && matches(v, d.with(name, value, to, value[from.start:from.end]), d.Body) {
				return []Finding{{
					fmt.Sprintf("the secret matches v%d alone, which this scheme passes over", n),
					"configure the secret that the provider signs with now: an older version is for tests, or for the previous secret",
				}}
			}
		}
	}
	return nil
}

// previousSecret says that a delivery is accepted by the previous secret alone.
func (d *Delivery) previousSecret() []Finding {
	if d.Definition != nil {
		return nil
	}
	name, value, sent := d.entries()
	newest, matching, only := -1, -1, 0
	v := d.verifier(d.Scheme)
	for _, e := range sent {
		n := version(value, e)
		if n < 0 {
			continue
		}
		newest = max(newest, n)
		if !matches(v, d.with(name, value, e, blank(value[e.start:e.end])), d.Body) {
			matching = n
			only++
		}
	}
	if only != 1 || matching == newest {
		return nil
	}
	return []Finding{{
		fmt.Sprintf("it matches v%d alone, which is made with the previous secret, and not v%d", matching, newest),
		"write the new secret in front of this one before the provider stops signing with this one",
	}}
}

// blank is a signature of the same form that no key makes: an A is both a hex
// digit and one of base64.
func blank(text string) string {
	bare := strings.TrimRight(text, "=")
	return strings.Repeat("A", len(bare)) + text[len(bare):]
}
