package explain

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// The texts that encoders write for one value. Each was printed by the encoder
// that is named with it.
const jsonStringify = `{"b":"é/<x>","a":[1,2.5,{},[],"😀\n"],"c":null}`

var encoders = []struct{ name, text, want string }{
	{"JSON.stringify(v)", jsonStringify, "compact"},
	{"JSON.stringify(v, null, 2)", "{\n  \"b\": \"é/<x>\",\n  \"a\": [\n    1,\n    2.5,\n    {},\n    [],\n    \"😀\\n\"\n  ],\n  \"c\": null\n}", "indented by 2"},
	{"Python json.dumps(v)", `{"b": "\u00e9/<x>", "a": [1, 2.5, {}, [], "\ud83d\ude00\n"], "c": null}`, "as Python's json.dumps writes it, with the characters that are not ASCII escaped"},
	{"Python json.dumps(v, ensure_ascii=False)", `{"b": "é/<x>", "a": [1, 2.5, {}, [], "😀\n"], "c": null}`, "as Python's json.dumps writes it"},
	{"Python json.dumps(v, sort_keys=True)", `{"a": [1, 2.5, {}, [], "\ud83d\ude00\n"], "b": "\u00e9/<x>", "c": null}`, "with its keys sorted, with the characters that are not ASCII escaped"},
	{"Python json.dumps(v, indent=4)", "{\n    \"b\": \"\\u00e9/<x>\",\n    \"a\": [\n        1,\n        2.5,\n        {},\n        [],\n        \"\\ud83d\\ude00\\n\"\n    ],\n    \"c\": null\n}", "indented by 4, with the characters that are not ASCII escaped"},
	{"PHP json_encode($v)", `{"b":"\u00e9\/<x>","a":[1,2.5,{},[],"\ud83d\ude00\n"],"c":null}`, `compact, with the characters that are not ASCII escaped, with \/ for /`},
	{"PHP json_encode($v, JSON_UNESCAPED_UNICODE)", `{"b":"é\/<x>","a":[1,2.5,{},[],"😀\n"],"c":null}`, `compact, with \/ for /`},
	{"Go json.Marshal(v)", `{"a":[1,2.5,{},[],"😀\n"],"b":"é/\u003cx\u003e","c":null}`, "with its keys sorted, with < > & escaped, as Go writes it"},
	{"Go json.Encoder", `{"a":[1,2.5,{},[],"😀\n"],"b":"é/\u003cx\u003e","c":null}` + "\n", "with < > & escaped, as Go writes it and a line end"},
}

// TestRewritten signs the text of one encoder and verifies the text that
// another writes for the same value.
func TestRewritten(t *testing.T) {
	for _, c := range encoders {
		t.Run(c.name, func(t *testing.T) {
			everyScheme(t, all, func(t *testing.T, s specimen) {
				if s.event == "" {
					s.event = eventFor(s, c.text)
				}
				kept := jsonStringify
				if c.text == kept {
					kept = encoders[6].text // PHP's
				}
				d, ok := s.signedBody(c.text)
				if !ok {
					t.Fatal("cannot sign")
				}
				d.Body = []byte(kept)
				d.expect(t, c.want)
			})
		})
	}
}

// TestGoWritesSo checks the text of Go's encoder, the only one available here.
func TestGoWritesSo(t *testing.T) {
	var v any
	if err := json.Unmarshal([]byte(jsonStringify), &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil || string(text) != encoders[8].text {
		t.Errorf("%s, %v", text, err)
	}
}

// TestNodeKeepsWhatCounts: a node keeps repeated members, their order and the
// spelling of numbers.
func TestNodeKeepsWhatCounts(t *testing.T) {
	const text = `{"b":1.0,"a":1e2,"b":12345678901234567890,"\u0000":[true,false,""]}`
	root, err := parse([]byte(strings.ReplaceAll(text, ",", " ,\n")))
	if err != nil {
		t.Fatal(err)
	}
	w := writer{most: 1 << 20}
	w.value(root, 0)
	if string(w.out) != text {
		t.Errorf("%s", w.out)
	}
}

// TestNotRewritten: a body that is not JSON, or too large or deep, is not
// rewritten.
func TestNotRewritten(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":    "{",
		"two values":  "{}{}",
		"nested deep": strings.Repeat("[", maxDepth+2) + strings.Repeat("]", maxDepth+2),
		"large":       "[" + strings.Repeat("1,", maxChanged/2) + "1]",
	} {
		for b := range bodies([]byte(text)) {
			if strings.Contains(b.finding.What, "the same JSON") {
				t.Fatalf("%s: tried %q", name, b.body[:min(len(b.body), 20)])
			}
		}
	}
}

func FuzzRewritten(f *testing.F) {
	for _, c := range encoders {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want any
		if json.Unmarshal(text, &want) != nil || len(text) > 1000 {
			return
		}
		rewritten(text, func(b []byte, what string) bool {
			var got any
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatalf("%s: %q is not JSON: %v", what, b, err)
			}
			a, _ := json.Marshal(want)
			if b, _ := json.Marshal(got); !bytes.Equal(a, b) && !strings.Contains(what, "sorted") {
				t.Fatalf("%s: %q became %q", what, a, b)
			}
			return true
		})
	})
}

// TestBounded: a delivery of any size is explained with a bounded number of
// MACs.
func TestBounded(t *testing.T) {
	craneops, _ := schemes.Get("craneops")
	count := func(text string) (n int) {
		for range bodies([]byte(text)) {
			n++
		}
		return n
	}
	if n := count(jsonStringify); n > 500 {
		t.Errorf("%d bodies are tried", n)
	}
	d := specimenOf(t, craneops).delivery(t)
	if n := len((&search{Delivery: d, rows: table}).keys(fromAll)); n == 0 || n > 50 {
		t.Errorf("%d keys are tried", n)
	}
	d.Request.Header.Set(craneops.SignatureHeader(), strings.Repeat("1769860800 ", 1000))
	if _, _, sent := d.entries(); len(sent) != maxEntries {
		t.Errorf("%d entries are looked at", len(sent))
	}
	if found := d.refused(schemes.MalformedSignature); found != nil {
		t.Errorf("%+v", found)
	}
	d.Secrets, d.Body = []string{"key\n"}, bytes.Repeat([]byte("x"), maxPaired+1)
	if found := d.refused(schemes.SignatureMismatch); found != nil {
		t.Errorf("%+v", found)
	}
}
