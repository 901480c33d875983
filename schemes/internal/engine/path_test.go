package engine

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestPathsOfMembers(t *testing.T) {
	for _, c := range []struct{ name, body, path, want string }{
		{"two steps", `{"data":{"id":"a"}}`, "data.id", "a"},
		{"three steps among others", ` {"x":{"id":"no"}, "data" : {"y":[{"id":"no"}], "object" : {"id":"a"} , "z":1} }`, "data.object.id", "a"},
		{"eight steps", strings.Repeat(`{"a":`, 8) + `"deep"` + strings.Repeat(`}`, 8), "a.a.a.a.a.a.a.a", "deep"},
		{"escaped step", `{"d\u0061ta":{"\u0069d":"a"}}`, "data.id", "a"},
		{"inner name at the top", `{"id":"no"}`, "data.id", ""},
		{"outer name further in", `{"x":{"data":{"id":"no"}}}`, "data.id", ""},
		{"in an array", `{"data":[{"id":"no"}]}`, "data.id", ""},
		{"step is a text", `{"data":"id"}`, "data.id", ""},
		{"twice at the end", `{"data":{"id":"a","id":"b"}}`, "data.id", ""},
		{"three times", `{"data":{"id":"a","id":"b","id":"c"}}`, "data.id", ""},
		{"twice on the way", `{"data":{"id":"a"},"data":{"id":"b"}}`, "data.id", ""},
		{"twice on the way, once an object", `{"data":{"id":"a"},"data":1}`, "data.id", ""},
		{"twice on the way, the object last", `{"data":1,"data":{"id":"a"}}`, "data.id", ""},
		{"twice on the way, once escaped", `{"data":{"id":"a"},"d\u0061ta":{}}`, "data.id", ""},
		{"empty object on the way", `{"data":{}}`, "data.id", ""},
		{"broken behind", `{"data":{"id":"a"}`, "data.id", ""},
		{"broken inside", `{"data":{"id":"a",}}`, "data.id", ""},
	} {
		found, _ := Members([]byte(c.body), Paths(c.path))
		if got := found[0].Text(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	// One name can be a wanted member and lead to another.
	found, ok := Members([]byte(`{"a":{"b":"x"},"c":"y"}`), Paths("a", "a.b", "c", "a.d"))
	if !ok || found[0].Raw != `{"b":"x"}` || found[1].Text() != "x" || found[2].Text() != "y" || found[3].Raw != "" {
		t.Errorf("%v %q", ok, found)
	}
}

// reference finds a member step by step with encoding/json. A repeated name
// finds nothing.
func reference(body []byte, way Path) (json.RawMessage, bool) {
	raw := json.RawMessage(body)
	for _, step := range way {
		dec := json.NewDecoder(bytes.NewReader(raw))
		if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
			return nil, false
		}
		times := 0
		var next json.RawMessage
		for dec.More() {
			name, err := dec.Token()
			if err != nil {
				return nil, false
			}
			var member json.RawMessage
			if err := dec.Decode(&member); err != nil {
				return nil, false
			}
			if name == step {
				times++
				next = member
			}
		}
		if times != 1 {
			return nil, false
		}
		raw = next
	}
	return raw, true
}

// FuzzPaths compares with encoding/json.
func FuzzPaths(f *testing.F) {
	f.Add([]byte(`{"a":{"b":{"c":1},"d":[{}]},"e":"x"}`))
	f.Add([]byte(`{"a":{"b":1},"a":{"b":2},"e":{"b":{}}}`))
	f.Add([]byte(` {"\u0061":{"b":{"c":"x","c":"y"}} , "e":null}`))
	ways := Paths("a", "a.b", "a.b.c", "e", "e.b")
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > readWhole {
			return // not read to its end
		}
		found, ok := Members(body, ways)
		isObject := json.Valid(body) && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
		if ok != isObject {
			t.Fatalf("object: %v, encoding/json says %v", ok, isObject)
		}
		if !ok {
			return
		}
		for i, way := range ways {
			want, there := reference(body, way)
			if there != (found[i].Raw != "") || there && string(bytes.TrimSpace(want)) != found[i].Raw {
				t.Errorf("%v: %q, want %q", way, found[i].Raw, want)
			}
		}
	})
}
