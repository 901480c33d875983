package schemes

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// seed is a delivery of the conformance suite, for the fuzz targets. The
// package that reads the whole suite imports this one, so it cannot be used
// here.
type seed struct {
	Headers [][2]string `json:"headers"`
	Body    []byte      `json:"body_base64"`
}

func (s seed) header() http.Header {
	h := http.Header{}
	for _, pair := range s.Headers {
		h.Add(pair[0], pair[1])
	}
	return h
}

// seeds returns the deliveries of a scheme, or of all schemes for *.
func seeds(t testing.TB, scheme string) (all []seed) {
	files, err := filepath.Glob("testdata/" + scheme + ".json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors of %s: %v", scheme, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var some []seed
		if err := json.Unmarshal(text, &some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, some...)
	}
	return all
}
