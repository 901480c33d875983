package webhook

import (
	"fmt"
	"net/http"
	"slices"
)

// headerLines holds the values of an option that takes headers.
type headerLines []string

// read parses the headers. It rejects those that frame the body, because Go's
// client would silently omit them.
func (lines headerLines) read() (http.Header, error) {
	h := http.Header{}
	for _, line := range lines {
		name, value, err := parseHeader(line)
		if err != nil {
			return nil, fmt.Errorf("--header %w", err)
		}
		name = http.CanonicalHeaderKey(name)
		if slices.Contains([]string{"Content-Length", "Transfer-Encoding", "Trailer"}, name) {
			return nil, fmt.Errorf("--header %s cannot be set; it follows from the body", name)
		}
		h.Add(name, value)
	}
	return h, nil
}
