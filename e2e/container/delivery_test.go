package container

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stepHeader tells the requests apart; it is not signed.
const stepHeader = "X-Step"

// hook is where deliveries go, with a token that no log may hold.
const hook = "/cryptr?token=" + queryToken

// delivery is one of Cryptr's.
type delivery struct {
	step      string
	signature string
	body      string
}

func signed(step, secret, body string, at time.Time) delivery {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "." + body))
	return delivery{step, "t=" + t + ",v1=sha256." + hex.EncodeToString(mac.Sum(nil)), body}
}

// as is the same delivery, sent once more.
func (d delivery) as(step string) delivery {
	d.step = step
	return d
}

// send gives the status and the body of the answer.
func (s *sidecar) send(t *testing.T, d delivery) (int, string) {
	t.Helper()
	status, answer, err := s.try(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return status, answer
}

// try is for where a test cannot end, or where nobody may answer.
func (s *sidecar) try(ctx context.Context, d delivery) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url(hook), strings.NewReader(d.body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(stepHeader, d.step)
	if d.signature != "" {
		request.Header.Set("Cryptr-Signature", d.signature)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

// accepted asserts that the application was given the delivery byte for byte: it
// answers with what it was given.
func (s *sidecar) accepted(t *testing.T, d delivery) {
	t.Helper()
	status, answer := s.send(t, d)
	head, body, _ := strings.Cut(answer, "\n\n")
	if status != http.StatusOK || body != d.body {
		t.Errorf("%s: %d, the application was given %q, sent was %q", d.step, status, body, d.body)
	}
	for _, want := range []string{
		"received POST " + hook + ", " + strconv.Itoa(len(d.body)) + " bytes",
		"Webhook-Provider: cryptr", "Webhook-Verdict: accepted",
	} {
		if !strings.Contains(head+"\n", want+"\n") {
			t.Errorf("%s: no %q in %q", d.step, want, head)
		}
	}
}

// refused asserts a status and an empty answer.
func (s *sidecar) refused(t *testing.T, d delivery, want int) {
	t.Helper()
	if status, answer := s.send(t, d); status != want || answer != "" {
		t.Errorf("%s: %d %q, not %d and nothing", d.step, status, answer, want)
	}
}

// duplicate asserts what a sender reads whose delivery has arrived before.
func (s *sidecar) duplicate(t *testing.T, d delivery) {
	t.Helper()
	s.refused(t, d, http.StatusOK)
}
