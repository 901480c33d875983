package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes/schemestest"
)

// answering is the variable that makes the test binary act as the
// implementation.
const answering = "HOOKLATCH_TEST_ANSWERING"

func TestMain(m *testing.M) {
	how := os.Getenv(answering)
	if how == "" {
		os.Exit(m.Run())
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for how != "silent" && in.Scan() {
		var v schemestest.Vector
		answer := schemestest.Answer{Accepted: true}
		err := json.Unmarshal(in.Bytes(), &v)
		if err == nil && how == "rightly" {
			answer, err = schemestest.Verify(v)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(answer)
	}
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		how  string
		args []string
		out  string
		want string
	}{
		{"rightly", []string{"--scheme", "twilio"}, "\n0 of ", ""},
		{"rightly", []string{"--must", "--scheme", "slack"}, "\n0 of ", ""},
		{"carelessly", []string{"--scheme", "slack"}, "slack/tampered-body: accept, want reject signature_mismatch (must: one digit of the body changed)\n", "wrong answers"},
		{"silent", nil, "", "reading the answer"},
		{"rightly", []string{"--scheme", "none"}, "", "no vectors of none"},
	} {
		t.Run(c.how+strings.Join(c.args, ""), func(t *testing.T) {
			t.Setenv(answering, c.how)
			var out strings.Builder
			err := run(append(append([]string{"--dir", "../../testdata"}, c.args...), os.Args[0]), &out)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if errors.Is(err, errWrong) != (c.want == errWrong.Error()) {
				t.Errorf("%v", err)
			}
			if !strings.Contains("\n"+out.String(), c.out) {
				t.Errorf("said %.300q, want %q", out.String(), c.out)
			}
		})
	}
	if err := run([]string{"--dir", "../../testdata"}, &strings.Builder{}); err == nil {
		t.Error("no program, and no error")
	}
}
