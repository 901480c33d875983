package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestMembers(t *testing.T) {
	names := Paths("event", "timestamp")
	for _, c := range []struct {
		name, body, event string
		seconds           int64
	}{
		{"plain", `{"event":"paid","timestamp":1741442518}`, "paid", 1741442518},
		{"blanks and nesting", " {\n\"x\" : [1,{\"event\":\"inner\"},[]] , \"event\" : \"paid\" }\r\n", "paid", 0},
		{"escapes in the value", `{"event":"caf\u00e9 \"x\""}`, `café "x"`, 0},
		{"escapes in the key", `{"\u0065vent":"paid"}`, "paid", 0},
		{"twice", `{"event":"paid","event":"refunded"}`, "", 0},
		{"twice, once escaped", `{"event":"paid","\u0065vent":"refunded"}`, "", 0},
		{"three times", `{"event":"a","event":"b","event":"c"}`, "", 0},
		{"time as text", `{"timestamp":"1741442518"}`, "", 1741442518},
		{"time with a fraction", `{"timestamp":1741442518.5}`, "", 0},
		{"negative time", `{"timestamp":-1741442518}`, "", 0},
		{"time in milliseconds", `{"timestamp":1741442518000}`, "", 0},
		{"event is a number", `{"event":7}`, "", 0},
		{"event is an object", `{"event":{"a":1}}`, "", 0},
		{"event is null", `{"event":null}`, "", 0},
		{"pair of surrogates", `{"event":"\ud83d\ude00"}`, "\U0001F600", 0},
		{"half of a pair", `{"event":"\ud800x"}`, "", 0},
		{"the other half", `{"event":"x\udc00"}`, "", 0},
		{"two first halves", `{"event":"\ud800\ud800"}`, "", 0},
		{"halves the wrong way round", `{"event":"\ude00\ud83d"}`, "", 0},
		{"half of a pair behind the replacement", "{\"event\":\"\ufffd\\ud800\"}", "", 0},
		{"half of a pair behind its name", `{"event":"\\ufffd\ud800"}`, "", 0},
		{"the replacement itself", "{\"event\":\"a\ufffd\"}", "a\ufffd", 0},
		{"not UTF-8", "{\"event\":\"\xff\"}", "", 0},
		{"too long to pass on", `{"event":"` + strings.Repeat("x", maxTextLen) + `"}`, "", 0},
		{"byte order mark", "\ufeff{\"event\":\"paid\"}", "", 0},
		{"array", `[{"event":"paid"}]`, "", 0},
		{"empty", ``, "", 0},
		{"begins like JSON", `{"event":"paid",`, "", 0},
		{"rubbish behind", `{"event":"paid"} x`, "", 0},
		{"rubbish inside", `{"event":"paid","x":[}`, "", 0},
		{"wrong bracket", `{"event":"paid","x":[1}}`, "", 0},
		{"leading zero", `{"event":"paid","x":01}`, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, _ := Members([]byte(c.body), names)
			if got := found[0].Text(); got != c.event {
				t.Errorf("event %q, want %q", got, c.event)
			}
			var want time.Time
			if c.seconds != 0 {
				want = time.Unix(c.seconds, 0)
			}
			if got := found[1].unixSeconds(); !got.Equal(want) {
				t.Errorf("time %v, want %v", got, want)
			}
		})
	}
}

// TestMembersOfADeepBody: neither a small body nor a large one can exhaust the
// stack, and a member beside the nesting is found.
func TestMembersOfADeepBody(t *testing.T) {
	for _, n := range []int{1, readWhole / 4, 1 << 20} {
		for _, c := range []struct{ name, open, close string }{
			{"closed", strings.Repeat("[", n), strings.Repeat("]", n)},
			{"objects", strings.Repeat(`{"a":`, n) + "1", strings.Repeat("}", n)},
		} {
			body := []byte(`{"event":"paid","x":` + c.open + c.close + `}`)
			found, ok := Members(body, Paths("event", "timestamp"))
			if !ok || found[0].Text() != "paid" {
				t.Errorf("%s, %d levels: %v %q", c.name, n, ok, found[0].Text())
			}
			body = []byte(`{"x":` + c.open)
			if found, _ := Members(body, Paths("x.y", "event")); found[0].Raw != "" {
				t.Errorf("%s, %d levels that do not end: %.20q", c.name, n, found[0].Raw)
			}
		}
	}
}

// TestNamesAreLiteral: characters that are special in a gjson path are not
// special in a name.
func TestNamesAreLiteral(t *testing.T) {
	for _, name := range []string{"*", "ev*", "event?", "#", "@this", "@keys", "@values|0", "!\"made up\"", "{event}", "[event]", `e\vent`, "event|@this", "..0", "~true", "\"event\"", "", "0"} {
		way := []Path{{name}, {"x", name}}
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		there := `{"event":"other","x":{"event":"other"}}`
		if found, ok := Members([]byte(there), way); !ok || found[0].Raw != "" || found[1].Raw != "" {
			t.Errorf("%q finds %q", name, found)
		}
		body := fmt.Sprintf(`{"event":"other","x":{"event":"other",%s:"inner"},%s:"outer"}`, quoted, quoted)
		if found, ok := Members([]byte(body), way); !ok || found[0].Text() != "outer" || found[1].Text() != "inner" {
			t.Errorf("%q is not found: %q", name, found)
		}
	}
	// A dot in a name is part of it; one in a path is a step.
	if found, _ := Members([]byte(`{"data.id":"no"}`), Paths("data.id")); found[0].Raw != "" {
		t.Errorf("data.id finds %q", found[0].Raw)
	}
}

// FuzzMembers compares with encoding/json: the same bodies are objects, and a
// member has the same value, unless encoding/json has put U+FFFD into it.
func FuzzMembers(f *testing.F) {
	files, err := filepath.Glob("../../testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("no vectors: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var vectors []struct {
			Body []byte `json:"body_base64"`
		}
		if err := json.Unmarshal(text, &vectors); err != nil {
			f.Fatal(err)
		}
		for _, v := range vectors {
			f.Add(v.Body)
		}
	}
	f.Add([]byte(`{"event":"a","x":[1,-0.5e+7,{"":[]},{},"\ud800"],"timestamp":12,"b":[true,false,null]}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkMembers(t, body) })
}

var eventAndTime = Paths("event", "timestamp")

// checkMembers reports whether the body is an object.
func checkMembers(t *testing.T, body []byte) bool {
	if len(body) > readWhole {
		return false // not read to its end
	}
	found, ok := Members(body, eventAndTime)
	isObject := json.Valid(body) && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
	if ok != isObject {
		t.Fatalf("object: %v, encoding/json says %v", ok, isObject)
	}
	if !ok {
		return false
	}
	var want string
	raw, there := reference(body, eventAndTime[0])
	there = there && json.Unmarshal(raw, &want) == nil && raw[0] == '"'
	switch event := found[0].Text(); {
	case event != "" && (!there || event != want || !utf8.ValidString(event)):
		t.Fatalf("event %q, encoding/json says %q", event, want)
	case event == "" && want != "" && there && len(raw) <= maxTextLen && utf8.Valid(raw) && !strings.Contains(want, replacement):
		t.Fatalf("no event, encoding/json says %q", want)
	}
	return true
}

// TestMembersOfLargeBodies: members are found without reading the text after
// them.
func TestMembersOfLargeBodies(t *testing.T) {
	long := `"` + strings.Repeat("x", readWhole) + `"`
	asked := Paths("event", "data.id")
	for _, c := range []struct {
		name, body string
		ok         bool
		id         string
	}{
		{"well-formed", `{"event":"e","data":{"id":"1"},"x":` + long + `}`, true, "1"},
		{"not, behind the last one", `{"event":"e","data":{"id":"1","x":` + long, true, "1"},
		{"again, behind the last one", `{"event":"e","data":{"id":"1"},"x":` + long + `,"event":"f"}`, true, "1"},
		{"again, before the last one", `{"event":"d","event":"e","x":` + long + `,"data":{"id":"1"}}`, true, "1"},
		{"not, before the last one", `{"event":"e","x":` + long + `;,"data":{"id":"1"}}`, true, "1"},
		{"one is missing", `{"event":"e","x":` + long + `}`, true, ""},
		{"one is missing, not well-formed", `{"event":"e","x":` + long, true, ""},
		{"the wanted one ends too early", `{"x":` + long + `,"event":"e","data":{"id":"1`, true, ""},
		{"the wanted one has a control character", `{"x":` + long + `,"event":"e","data":{"id":"` + "\n" + `"}}`, true, ""},
		{"no object", `[` + long + `,{"event":"e","data":{"id":"1"}}]`, false, ""},
		{"a small one that is not well-formed", `{"event":"e","data":{"id":"1"},`, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, ok := Members([]byte(c.body), asked)
			if ok != c.ok || found[1].Text() != c.id {
				t.Errorf("%v %q", ok, found[1].Text())
			}
			if again := strings.HasPrefix(c.name, "again, before"); again && found[0].Text() != "" {
				t.Errorf("%q was taken of two", found[0].Text())
			}
		})
	}
}

// TestTimesOfABody: times are passed on as RFC 3339 in UTC, so a time that
// cannot be written that way is left out.
func TestTimesOfABody(t *testing.T) {
	for text, want := range map[string]string{
		"2026-02-20T00:00:00Z":           "2026-02-20T00:00:00Z",
		"2026-02-20T00:00:00.5+01:00":    "2026-02-19T23:00:00.5Z",
		"9999-12-31T23:59:59Z":           "9999-12-31T23:59:59Z",
		"9999-12-31T23:59:59-23:59":      "",
		"9999-12-31T23:59:59.9999-00:01": "",
		"0000-01-01T00:00:00Z":           "0000-01-01T00:00:00Z",
		"0000-01-01T00:00:00+23:59":      "",
		"2026-02-20T00:00:00,5Z":         "",
		"2026-02-20T0:00:00Z":            "",
		"2026-02-20T00:00:00":            "",
		"2026-02-20 00:00:00Z":           "",
		"":                               "",
	} {
		v := Value{`"` + text + `"`}
		at, got := v.RFC3339(), ""
		if !at.IsZero() {
			got = at.UTC().Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
