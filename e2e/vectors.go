package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// vector is one published delivery with the answer of a correct verifier.
type vector struct {
	Provider string      `json:"provider"`
	Name     string      `json:"name"`
	Secret   string      `json:"secret"`
	Method   string      `json:"method"`
	Headers  [][2]string `json:"headers"`
	Body     []byte      `json:"body_base64"`
	At       int64       `json:"at"`
	Expect   string      `json:"expect"`
	Level    string      `json:"level"`
	Why      string      `json:"why"`
}

// id tells a vector from all others.
func (v vector) id() string { return v.Provider + "/" + v.Name }

func (v vector) delivery(path string) delivery {
	d := delivery{method: v.Method, path: path, body: v.Body}
	for _, h := range v.Headers {
		d.headers = append(d.headers, header{h[0], h[1]})
	}
	return d
}

func loadVectors(t *testing.T) []vector {
	t.Helper()
	var vectors []vector
	load(t, "../schemes/testdata/providers.json", &vectors)
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	return vectors
}

// loadReasons gives the reason of every vector that is refused. The vectors
// themselves do not name one: they are for any verifier.
func loadReasons(t *testing.T) map[string]string {
	t.Helper()
	var reasons map[string]string
	load(t, "../schemes/testdata/reasons.json", &reasons)
	return reasons
}

// load refuses unknown fields: they would be an expectation nobody checks.
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

// moments are the distinct clocks of the vectors.
func moments(vectors []vector) []int64 {
	var list []int64
	for _, v := range vectors {
		list = append(list, v.At)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
