package e2e

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// vector is one delivery of the conformance suite with the answer of a correct
// verifier; see schemes/testdata/README.md.
type vector struct {
	Scheme    string      `json:"scheme"`
	Name      string      `json:"name"`
	Kind      string      `json:"kind"`
	Secrets   []string    `json:"secrets"`
	Tolerance string      `json:"tolerance"`
	Method    string      `json:"method"`
	URL       string      `json:"url"`
	Headers   [][2]string `json:"headers"`
	Body      []byte      `json:"body_base64"`
	At        int64       `json:"at"`
	Expect    string      `json:"expect"`
	Reason    string      `json:"reason"`
	Level     string      `json:"level"`
	Source    string      `json:"source"`
	Why       string      `json:"why"`
}

// id returns a name that is unique among all vectors.
func (v vector) id() string { return v.Scheme + "/" + v.Name }

// target returns the path that the vector is sent to. Each client has its own,
// unless the URL is signed.
func (v vector) target(client string) string {
	if v.URL != "" {
		return strings.TrimPrefix(v.URL, v.origin())
	}
	return "/vectors?vector=" + url.QueryEscape(v.id()) + "&client=" + client
}

// origin returns the part of the URL that the gateway needs as its public_url.
func (v vector) origin() string { return urlOrigin.FindString(v.URL) }

var urlOrigin = regexp.MustCompile("^https?://[^/]+")

func (v vector) delivery(path string) harness.Delivery {
	d := harness.Delivery{Method: v.Method, Path: path, Body: v.Body}
	for _, h := range v.Headers {
		d.Headers = append(d.Headers, harness.Header{Name: h[0], Value: h[1]})
	}
	return d
}

func loadVectors(t *testing.T) []vector {
	t.Helper()
	files, err := filepath.Glob("../schemes/testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	for _, file := range files {
		var some []vector
		load(t, file, &some)
		vectors = append(vectors, some...)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	return vectors
}

// load rejects unknown fields, because an expectation in one would not be
// checked.
func load(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// moments returns the distinct clock times of the vectors.
func moments(vectors []vector) []int64 {
	var list []int64
	for _, v := range vectors {
		list = append(list, v.At)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
