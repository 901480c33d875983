package schemes

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestMembers(t *testing.T) {
	names := paths("event", "timestamp")
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
			found, _ := members([]byte(c.body), names)
			if got := found[0].text(); got != c.event {
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

func TestMembersOfADeepBody(t *testing.T) {
	deep := func(n int) []byte {
		return []byte(`{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	for n, want := range map[int]bool{1: true, maxDepth - 1: true, maxDepth: false, 100 * maxDepth: false} {
		body := deep(n)
		if _, ok := members(body, nil); ok != want || ok != json.Valid(body) {
			t.Errorf("%d levels: %v, want %v, encoding/json says %v", n, ok, want, json.Valid(body))
		}
	}
}

// FuzzMembers compares with encoding/json: the same bodies are objects, and
// a member that is found has the value that encoding/json sees.
func FuzzMembers(f *testing.F) {
	for _, s := range seeds(f, "*") {
		f.Add(s.Body)
	}
	f.Add([]byte(`{"event":"a","x":[1,-0.5e+7,{"":[]},{},"\ud800"],"timestamp":12,"b":[true,false,null]}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkMembers(t, body) })
}

var eventAndTime = paths("event", "timestamp")

// checkMembers reports whether the body is an object.
func checkMembers(t *testing.T, body []byte) bool {
	if len(body) > readWhole {
		return false // not read to its end
	}
	found, ok := members(body, eventAndTime)
	isObject := json.Valid(body) && bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
	if ok != isObject {
		t.Fatalf("object: %v, encoding/json says %v", ok, isObject)
	}
	if !ok {
		return false
	}
	if event := found[0].text(); event != "" {
		var want map[string]json.RawMessage
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatal(err)
		}
		var s string
		if err := json.Unmarshal(want["event"], &s); err != nil || s != event {
			t.Fatalf("event %q, encoding/json says %q (%v)", event, s, err)
		}
		if !utf8.ValidString(event) {
			t.Fatalf("event %q is not UTF-8", event)
		}
	}
	return true
}

// TestMembersOfLargeBodies are found without a look at what stands behind them.
func TestMembersOfLargeBodies(t *testing.T) {
	long := `"` + strings.Repeat("x", readWhole) + `"`
	asked := paths("event", "data.id")
	for _, c := range []struct {
		name, body string
		ok         bool
		id         string
	}{
		{"well-formed", `{"event":"e","data":{"id":"1"},"x":` + long + `}`, true, "1"},
		{"not, behind the last one", `{"event":"e","data":{"id":"1","x":` + long, true, "1"},
		{"again, behind the last one", `{"event":"e","data":{"id":"1"},"x":` + long + `,"event":"f"}`, true, "1"},
		{"again, before the last one", `{"event":"d","event":"e","x":` + long + `,"data":{"id":"1"}}`, true, "1"},
		{"not, before the last one", `{"event":"e","x":` + long + `;,"data":{"id":"1"}}`, false, ""},
		{"one is missing", `{"event":"e","x":` + long + `}`, true, ""},
		{"one is missing, not well-formed", `{"event":"e","x":` + long, false, ""},
		{"a small one that is not well-formed", `{"event":"e","data":{"id":"1"},`, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, ok := members([]byte(c.body), asked)
			if ok != c.ok || found[1].text() != c.id {
				t.Errorf("%v %q", ok, found[1].text())
			}
			if again := strings.HasPrefix(c.name, "again, before"); again && found[0].text() != "" {
				t.Errorf("%q was taken of two", found[0].text())
			}
		})
	}
}
