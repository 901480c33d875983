package engine

import (
	"slices"
	"strings"
	"testing"
)

func TestTemplates(t *testing.T) {
	const clear = ""
	for _, c := range []struct {
		template, unit, begins string
		want                   string // of the error
	}{
		{"{body}", "", "", clear},
		{"{timestamp}.{body}", "", "", clear},
		{"{id}.{timestamp}.{body}", "", "", clear},
		{"v0:{timestamp}:{body}", "", "", clear},
		{"{body}.{timestamp}", "", "", clear},
		{"{id}.{body}.{timestamp}", "", "", clear},
		{"{timestamp}{body}", "", "", clear},
		{"{body}{timestamp}", "", "", clear},
		{"{timestamp}{body}", "ms", "", clear},
		{"{timestamp}.{body}", "rfc3339", "", clear},
		{"{timestamp}{body}", "rfc3339", "", clear},
		{"{method} {url}\n{timestamp}\n{body}", "", "", clear},
		{"{header.X-A}\n{header.X-B}\n{body}", "", "", clear},
		{"{url}{body}", "", "{", clear},
		{"{url}|{body}", "", "", clear},
		{"{http.request.method}\n{http.request.header.X-A}\n{body}", "", "", clear},
		{"{body}\n{header.X-A}", "", "", clear},
		{"prefix {timestamp}{id}.{body} suffix", "", "", clear},

		{"{url}{body}", "", "", "it cannot be told where {url} ends, which may hold what {body} begins with: a signed delivery could be cut into another one; if all bodies are JSON objects, set json_object"},
		{"{id}{body}", "", "", "set json_object"},
		{"{header.X-A}{body}", "", "{", "it cannot be told where {header.X-A} ends"},
		{"{header.X-A}:{body}", "", "", `it cannot be told where {header.X-A} ends, which may hold what the ":" begins with`},
		{"{id}-{body}", "", "", `it cannot be told where {id} ends`},
		{"{timestamp}1{body}", "", "", `it cannot be told where {timestamp} ends`},
		{"{url}.{body}", "", "", `it cannot be told where {url} ends`},
		{"{body}.{header.X-A}", "", "", "it cannot be told where {body} ends"},
		{"{id}{timestamp}.{body}", "", "", "it cannot be told where {id} ends"},
		{"{timestamp}", "", "", "there is no {body}"},
		{"", "", "", "there is no {body}"},
		{"{body}{body}", "", "", "{body} is there twice"},
		{"{header.x-a}\n{header.X-A}\n{body}", "", "", "{header.X-A} is there twice"},
		{"{event}.{body}", "", "", "one of the variables is not known; write {timestamp}, {id}, {body}, {url}, {method} or {header.X}"},
		{"{body", "", "", "a brace without its other half"},
		{"}{body}", "", "", "a brace without its other half"},
		{"{{body}}", "", "", "is not known"},
		{"{header.}\n{body}", "", "", "no header's name"},
		{"{header.X_A}\n{body}", "", "", "the header has a _ or a dot in its name, and Caddy passes no such header on"},
		{"{header.X.A}\n{body}", "", "", "Caddy passes no such header on"},
		{"{header.Host}\n{body}", "", "", "write {url}"},
		{"{header.connection}\n{body}", "", "", "belongs to the connection"},
	} {
		parsed, err := parseTemplate(c.template, c.unit)
		if err == nil {
			err = parsed.checkUnambiguous(c.begins)
		}
		switch {
		case err == nil && c.want != clear:
			t.Errorf("%q: taken, want %q", c.template, c.want)
		case err != nil && (c.want == clear || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: %v, want %q", c.template, err, c.want)
		}
	}
}

// valuesFor returns values of a variable, chosen so that they collide wherever
// a template allows it.
func valuesFor(p *part, begins string) []string {
	switch {
	case p.kind == literal:
		return []string{p.text}
	case p.kind == timestampVar && p.holds('T'):
		times := []string{
			"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5Z", "2026-01-02T03:04:05.51+00:01", "2026-01-02T03:04:05-11:11",
			"2026-01-02T03:04:05", "2026-01-02T03:04:05.5", "2026-01-02T03:04:05.51",
		}
		return slices.DeleteFunc(times, func(text string) bool {
			_, ok := signedTime(text, unitRFC3339, p.fixed)
			return !ok
		})
	case p.kind == timestampVar && p.delimited:
		return []string{"1111111111", "1111111112"}
	case p.kind == timestampVar:
		return []string{"1", "11", "112"}
	case p.kind == idVar:
		return []string{"a", "1", "a1", "-", "a-a", "A", "Za", "11-a"}
	case p.kind == methodVar:
		return []string{"A", "AA", "AB"}
	case p.kind == urlVar:
		return []string{"a://a", "a://a.", "a://a:1", "a://a.1111111111", "a://[", "a://a-A"}
	case p.kind == headerVar:
		return []string{"a", "a.", "a:1", "{", "1111111111", "1111111111.", "a A", "{}", ".a"}
	case begins != "":
		return []string{"{", "{}", "{.a", "{{}", "{\n", "{}1111111111"}
	}
	return []string{"", ".", "a", "1.a", "{}", ":1", "1", "1111111111", "\n", "\na", "11111111111", "-a", "A", " A", "{{}", "5Z.", "Z", "00:01", "11:11:"}
}

// TestTakenTemplatesNeverMeet builds templates from all parts and shows for
// each accepted one that no two deliveries have the same signed text.
func TestTakenTemplatesNeverMeet(t *testing.T) {
	pieces := []string{"{timestamp}", "{id}", "{url}", "{method}", "{header.X-A}", ".", ":", "-", "\n", "1"}
	var templates []string
	for _, a := range append(pieces, "") {
		for _, b := range append(pieces, "") {
			for _, c := range append(pieces, "") {
				templates = append(templates, a+b+"{body}"+c, a+b+c+"{body}")
			}
		}
	}
	taken, refused := 0, 0
	for _, text := range templates {
		for _, how := range [][2]string{{unitSeconds, ""}, {unitSeconds, "{"}, {unitRFC3339, ""}} {
			unit, begins := how[0], how[1]
			parsed, err := parseTemplate(text, unit)
			if err != nil {
				continue // a variable is repeated
			}
			if parsed.checkUnambiguous(begins) != nil {
				refused++
				continue
			}
			taken++
			made := map[string][]string{}
			parsed.eachDelivery(begins, nil, func(values []string) {
				signed := strings.Join(values, "")
				if other, met := made[signed]; met && !slices.Equal(other, values) {
					t.Fatalf("%q (begins %q): %q and %q both make %q", text, begins, other, values, signed)
				}
				made[signed] = slices.Clone(values)
			})
		}
	}
	if taken < 200 || refused < 200 {
		t.Errorf("%d templates taken and %d refused: too few to show anything", taken, refused)
	}
}

// eachDelivery goes through all combinations of values.
func (t *template) eachDelivery(begins string, so []string, visit func([]string)) {
	if len(so) == len(t.parts) {
		visit(so)
		return
	}
	for _, value := range valuesFor(&t.parts[len(so)], begins) {
		t.eachDelivery(begins, append(so, value), visit)
	}
}
