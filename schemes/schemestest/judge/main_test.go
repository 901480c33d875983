package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestJudge covers one answer of each kind, and a URL without a path.
func TestJudge(t *testing.T) {
	questions := strings.Join([]string{
		`{"scheme":"github","secret":"It's a Secret to Everybody","method":"POST","headers":[["X-Hub-Signature-256","sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"]],"body_base64":"SGVsbG8sIFdvcmxkIQ=="}`,
		`{"scheme":"github","secret":"another","method":"POST","headers":[["X-Hub-Signature-256","sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"]],"body_base64":"SGVsbG8sIFdvcmxkIQ=="}`,
		`{"scheme":"github","secret":"","method":"POST"}`,
		`{"scheme":"linear","secret":"k","method":"POST","headers":[["Linear-Signature","76be51d49c0f1a4f52ad5dea1a78b1bd4a7a28d33af05f8e2f09d1dc5a9b45f6"]],"judge_time":true,"body_base64":"e30="}`,
		`{"scheme":"twilio","secret":"12345","method":"POST","url":"https://example.com?x","headers":[["X-Twilio-Signature","AAAAAAAAAAAAAAAAAAAAAAAAAAA="]],"body_base64":""}`,
	}, "\n")
	var out bytes.Buffer
	if err := run(strings.NewReader(questions), &out); err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		`{"accepted":true,"read":{"id":"","event":"","occurred_at_ms":0}}`, `{"refused":"signature_mismatch: `, `{"refused":"secret 1: is empty`,
		`{"refused":"signature_mismatch: `, `{"refused":"signature_mismatch: `,
	}
	if len(answers) != len(want) {
		t.Fatalf("%d answers: %s", len(answers), out.String())
	}
	for i := range want {
		if !strings.HasPrefix(answers[i], want[i]) {
			t.Errorf("answer %d is %s, not %s…", i+1, answers[i], want[i])
		}
	}
	if err := run(strings.NewReader("nonsense"), &out); err == nil {
		t.Error("what is no question has no error")
	}
}
