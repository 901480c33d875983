package harness

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// curlPatience is how long curl waits at most, in seconds. curl waits as long
// for "100 Continue", instead of sending the body after one second, so that a
// test detects a gateway that never answers.
var curlPatience = strconv.Itoa(int(Patience.Seconds()))

// SendCurl sends a delivery with curl, without "Expect: 100-continue".
func SendCurl(t *testing.T, g *Gateway, d Delivery) (Answer, error) {
	t.Helper()
	return runCurl(t, g, d, "--header", "Expect:")
}

// SendCurlAsking sends "Expect: 100-continue" before a body of more than 1 MiB.
func SendCurlAsking(t *testing.T, g *Gateway, d Delivery) (Answer, error) {
	t.Helper()
	return runCurl(t, g, d)
}

func runCurl(t *testing.T, g *Gateway, d Delivery, more ...string) (Answer, error) {
	t.Helper()
	Needs(t, "curl")
	dir := t.TempDir()
	head, body := filepath.Join(dir, "head"), filepath.Join(dir, "body")
	args := append(more,
		"--silent", "--show-error", "--http1.1", "--max-time", curlPatience, "--expect100-timeout", curlPatience,
		"--request", d.Method, "--data-binary", "@-", "--dump-header", head, "--output", body,
	)
	for _, h := range d.Headers {
		args = append(args, "--header", curlHeader(h))
	}
	cmd := exec.Command("curl", append(args, "http://"+g.Addr+d.Path)...)
	cmd.Stdin = bytes.NewReader(d.Body)
	if said, err := cmd.CombinedOutput(); err != nil {
		return Answer{}, fmt.Errorf("%w: %s", err, said)
	}
	return readCurl(head, body)
}

// curlHeader writes a header for curl. An empty one is "Name;", because "Name:"
// would remove it.
func curlHeader(h Header) string {
	if h.Value == "" {
		return h.Name + ";"
	}
	return h.Name + ": " + h.Value
}

// readCurl reads the last answer. It skips a "100 Continue" before it.
func readCurl(head, body string) (Answer, error) {
	text, err := os.ReadFile(head)
	if err != nil {
		return Answer{}, err
	}
	var response *http.Response
	for r := bufio.NewReader(bytes.NewReader(text)); ; {
		if _, err := r.Peek(1); err != nil {
			break
		}
		// Read it as the answer to HEAD, because the body is in a separate
		// file.
		response, err = http.ReadResponse(r, &http.Request{Method: http.MethodHead})
		if err != nil {
			return Answer{}, err
		}
	}
	if response == nil {
		return Answer{}, fmt.Errorf("curl saved no head")
	}
	content, err := os.ReadFile(body)
	if err != nil && !os.IsNotExist(err) {
		return Answer{}, err
	}
	return Answer{response.StatusCode, response.Header, content}, nil
}
