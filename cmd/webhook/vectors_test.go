package webhook

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes/schemestest"
)

// requestText returns the request line and the headers of a vector.
func requestText(v schemestest.Vector) []byte {
	var text strings.Builder
	text.WriteString("POST /hook HTTP/1.1\r\n")
	for _, pair := range v.Headers {
		text.WriteString(pair[0] + ": " + pair[1] + "\r\n")
	}
	text.WriteString("\r\nnot: a header\r\n")
	return []byte(text.String())
}

// TestVerifyVectors: the command gets the right answer for each vector, and its
// output contains no secret. The search for an explanation takes most of the
// time, so it runs once for each reason, and with THOROUGH for every vector.
func TestVerifyVectors(t *testing.T) {
	thorough := os.Getenv("THOROUGH") != ""
	explained := map[string]bool{} // by reason
	noTime, cancel := context.WithCancel(t.Context())
	cancel()
	schemestest.Run(t, "../../schemes/testdata", func(v schemestest.Vector) (schemestest.Answer, error) {
		args := []string{
			"verify", "--scheme", v.Scheme, "--headers", tempFile(t, requestText(v)),
			"--at", v.Time().UTC().Format(time.RFC3339Nano),
		}
		for _, secret := range v.Secrets {
			args = append(args, "--secret", secret)
		}
		if v.Tolerance != "" {
			args = append(args, "--tolerance", v.Tolerance)
		}
		if v.URL != "" {
			args = append(args, "--url", v.URL, "--method", v.Method)
		}
		ctx := t.Context()
		if explained[v.Reason] && !thorough {
			ctx = noTime
		}
		explained[v.Reason] = true
		o := runWithin(ctx, v.Body, args...)
		answer := schemestest.Answer{Accepted: o.row("verdict") == "accepted", Reason: o.row("reason")}
		status := 1
		if answer.Accepted {
			status = 0
		}
		if o.status != status || o.errOut != "" {
			t.Errorf("%s: status %d, want %d:\n%s%s", v.ID(), o.status, status, o.out, o.errOut)
		}
		for _, secret := range v.Secrets {
			signed := bytes.Contains(v.Body, []byte(secret)) || strings.Contains(v.URL, secret) // a telephone number contains one
			published := v.Source != ""                                                         // and some published secrets are common words
			if !published && !isPublic(v.Scheme, secret) && !signed && strings.Contains(o.out, secret) {
				t.Errorf("%s: the secret is in the output:\n%s", v.ID(), o.out)
			}
		}
		return answer, nil
	})
}

// isPublic reports whether a secret of the suite is a public key.
func isPublic(scheme, secret string) bool {
	return scheme == "discord" || scheme == "sendgrid" || strings.HasPrefix(secret, "whpk_")
}
