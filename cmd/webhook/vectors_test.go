package webhook

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// vector is one delivery with the right answer, see schemes/testdata/README.md.
type vector struct {
	Provider   string      `json:"provider"`
	Name       string      `json:"name"`
	Secret     string      `json:"secret"`
	Headers    [][2]string `json:"headers"`
	BodyBase64 string      `json:"body_base64"`
	At         int64       `json:"at"`
	Expect     string      `json:"expect"`
}

func (v vector) body(t *testing.T) []byte {
	body, err := base64.StdEncoding.DecodeString(v.BodyBase64)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// request is the head of the request as text.
func (v vector) request() []byte {
	var text strings.Builder
	text.WriteString("POST /hook HTTP/1.1\r\n")
	for _, pair := range v.Headers {
		text.WriteString(pair[0] + ": " + pair[1] + "\r\n")
	}
	text.WriteString("\r\nnot: a header\r\n")
	return []byte(text.String())
}

func (v vector) at() string { return time.UnixMilli(v.At).UTC().Format(time.RFC3339Nano) }

func readTestdata(t *testing.T, name string, into any) {
	text, err := os.ReadFile("../../schemes/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func readVectors(t *testing.T) map[string]vector {
	var list []vector
	readTestdata(t, "providers.json", &list)
	vectors := map[string]vector{}
	for _, v := range list {
		vectors[v.Provider+"/"+v.Name] = v
	}
	if len(vectors) < 100 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	return vectors
}

func TestVerifyVectors(t *testing.T) {
	var reasons map[string]string
	readTestdata(t, "reasons.json", &reasons)
	for id, v := range readVectors(t) {
		t.Run(id, func(t *testing.T) {
			body := v.body(t)
			o := run(t, body, "verify", "--scheme", v.Provider, "--secret", v.Secret,
				"--headers", tempFile(t, v.request()), "--at", v.at())
			verdict, status := "accepted", 0
			if v.Expect == "reject" {
				verdict, status = "rejected", 1
			}
			if o.status != status || o.row("verdict") != verdict || o.row("reason") != reasons[id] || o.errOut != "" {
				t.Errorf("status %d, want %d %s %q:\n%s%s", o.status, status, verdict, reasons[id], o.out, o.errOut)
			}
			if strings.Contains(o.out, v.Secret) {
				t.Errorf("the secret is in the output:\n%s", o.out)
			}
		})
	}
}
