package schemestest

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `{"scheme":"s","name":"n","kind":"valid","secrets":["k"],"method":"POST","headers":[],"body_base64":"e30=","at":1,"expect":"accept","level":"must","why":"w"}`

func TestReadRefusesWhatNobodyChecks(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"", "", ""},
		{`"why":"w"`, `"why":"w","wy":"w"`, `unknown field "wy"`},
		{`"why":"w"`, `"why":""`, "is missing"},
		{`["k"]`, `[]`, "is missing"},
		{`"scheme":"s"`, `"scheme":"t"`, "belongs into t.json"},
		{`"valid"`, `"fine"`, `kind "fine" is not known`},
		{`"accept"`, `"maybe"`, `expect "maybe" is not known`},
		{`"accept"`, `"reject"`, "a reason belongs to a rejection"},
		{`"why"`, `"reason":"stale","why"`, "a reason belongs to a rejection"},
		{`"must"`, `"should"`, `level "should" is not known`},
		{`"method"`, `"tolerance":"1h","method"`, "tolerance is 5m"},
		{`"method"`, `"url":"https://a","method"`, "url is not"},
	} {
		dir := t.TempDir()
		text := "[" + strings.Replace(good, c.was, c.is, 1) + "]"
		if err := os.WriteFile(filepath.Join(dir, "s.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(dir)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", text, err, c.want)
		}
	}
	dir := t.TempDir()
	if _, err := Read(dir); err == nil {
		t.Error("an empty folder passes")
	}
	if err := os.WriteFile(filepath.Join(dir, "s.json"), []byte("["+good+","+good+"]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "there twice") {
		t.Errorf("two of one name: %v", err)
	}
}

func TestWrong(t *testing.T) {
	accepted, rejected := Vector{Expect: Accept}, Vector{Expect: Reject, Reason: "stale"}
	for _, c := range []struct {
		v     Vector
		a     Answer
		wrong bool
	}{
		{accepted, Answer{Accepted: true}, false},
		{accepted, Answer{}, true},
		{rejected, Answer{Accepted: true}, true},
		{rejected, Answer{}, false},
		{rejected, Answer{Reason: "stale"}, false},
		{rejected, Answer{Reason: "future"}, true},
	} {
		if got := c.v.Wrong(c.a); (got != "") != c.wrong {
			t.Errorf("%s, answered %s: %q", c.v.Expect, c.a, got)
		}
	}
}

func TestExchange(t *testing.T) {
	v := Vector{Scheme: "s", Name: "n", Body: []byte("{}")}
	for said, want := range map[string]string{
		"accept\n": "accept", "reject\n": "reject", "reject stale\r\n": "reject stale",
		"accept stale\n": "", "yes\n": "", "\n": "", "": "",
	} {
		var asked strings.Builder
		answer, err := Exchange(&asked, bufio.NewReader(strings.NewReader(said)), v)
		if (err != nil) != (want == "") || err == nil && answer.String() != want {
			t.Errorf("%q: %s, %v", said, answer, err)
		}
		if line := asked.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, `"body_base64":"e30="`) {
			t.Errorf("asked %q", line)
		}
	}
}
