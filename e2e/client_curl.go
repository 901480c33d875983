package e2e

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

// curlPatience is how long curl waits at most, in seconds. It waits as long for
// "100 Continue" instead of sending the body after one second, so that a gateway
// that never answers shows.
var curlPatience = strconv.Itoa(int(patience.Seconds()))

// sendCurl does not ask before it sends a large body.
func sendCurl(t *testing.T, g *gateway, d delivery) (answer, error) {
	t.Helper()
	return runCurl(t, g, d, "--header", "Expect:")
}

// sendCurlAsking sends "Expect: 100-continue" before a body of more than 1 MiB.
func sendCurlAsking(t *testing.T, g *gateway, d delivery) (answer, error) {
	t.Helper()
	return runCurl(t, g, d)
}

func runCurl(t *testing.T, g *gateway, d delivery, more ...string) (answer, error) {
	t.Helper()
	needs(t, "curl")
	dir := t.TempDir()
	head, body := filepath.Join(dir, "head"), filepath.Join(dir, "body")
	args := append(more,
		"--silent", "--show-error", "--http1.1", "--max-time", curlPatience, "--expect100-timeout", curlPatience,
		"--request", d.method, "--data-binary", "@-", "--dump-header", head, "--output", body,
	)
	for _, h := range d.headers {
		args = append(args, "--header", curlHeader(h))
	}
	cmd := exec.Command("curl", append(args, "http://"+g.addr+d.path)...)
	cmd.Stdin = bytes.NewReader(d.body)
	if said, err := cmd.CombinedOutput(); err != nil {
		return answer{}, fmt.Errorf("%w: %s", err, said)
	}
	return readCurl(head, body)
}

// curlHeader writes an empty header the way curl wants it: "Name:" would remove it.
func curlHeader(h header) string {
	if h.value == "" {
		return h.name + ";"
	}
	return h.name + ": " + h.value
}

// readCurl skips what came before the last head: a "100 Continue".
func readCurl(head, body string) (answer, error) {
	text, err := os.ReadFile(head)
	if err != nil {
		return answer{}, err
	}
	var response *http.Response
	for r := bufio.NewReader(bytes.NewReader(text)); ; {
		if _, err := r.Peek(1); err != nil {
			break
		}
		// As the answer to HEAD, because the body is in a file of its own.
		response, err = http.ReadResponse(r, &http.Request{Method: http.MethodHead})
		if err != nil {
			return answer{}, err
		}
	}
	if response == nil {
		return answer{}, fmt.Errorf("curl saved no head")
	}
	content, err := os.ReadFile(body)
	if err != nil && !os.IsNotExist(err) {
		return answer{}, err
	}
	return answer{response.StatusCode, response.Header, content}, nil
}
