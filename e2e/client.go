package e2e

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// client sends a delivery in its own way. It cannot send every one: fails where
// it would have to change it.
type client struct {
	name     string
	send     func(t *testing.T, g *gateway, d delivery) (answer, error)
	repeats  bool // a header more than once
	nonASCII bool // in a header's value
	anyURL   bool // also characters that no URL has
}

func clients() []client {
	return []client{
		{name: "go", send: sendGo, repeats: true, nonASCII: true},
		{name: "raw", send: sendRaw, repeats: true, nonASCII: true, anyURL: true},
		{name: "curl", send: sendCurl, repeats: true, nonASCII: true},
		{name: "node", send: sendWith("node", "clients/send.mjs")},
		{name: "python", send: sendWith("python3", "clients/send.py"), repeats: true},
	}
}

// can reports whether the client is able to send exactly this delivery.
func (c client) can(d delivery) bool {
	if !c.anyURL && strings.ContainsAny(d.path, `{"`) {
		return false
	}
	seen := map[string]bool{}
	for _, h := range d.headers {
		name := http.CanonicalHeaderKey(h.name)
		if seen[name] && !c.repeats {
			return false
		}
		seen[name] = true
		for _, b := range []byte(h.value) {
			if b >= 0x80 && !c.nonASCII {
				return false
			}
		}
	}
	return true
}

// send is the plain way: Go's client.
func (g *gateway) send(t *testing.T, d delivery) answer {
	t.Helper()
	a, err := sendGo(t, g, d)
	if err != nil {
		t.Fatalf("%s: %v", d.path, err)
	}
	return a
}

func sendGo(t *testing.T, g *gateway, d delivery) (answer, error) {
	return sendBody(t, g, d, bytes.NewReader(d.body))
}

// sendChunked hides the length of the body, so that the client has to chunk it.
func sendChunked(t *testing.T, g *gateway, d delivery) (answer, error) {
	return sendBody(t, g, d, struct{ io.Reader }{bytes.NewReader(d.body)})
}

// sendH2C speaks HTTP/2 without TLS, which the gateway must be told to allow.
func sendH2C(t *testing.T, g *gateway, d delivery) (answer, error) {
	transport := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return sendThrough(t, g, d, transport, bytes.NewReader(d.body))
}

func sendBody(t *testing.T, g *gateway, d delivery, body io.Reader) (answer, error) {
	return sendThrough(t, g, d, &http.Transport{DisableCompression: true}, body)
}

func sendThrough(t *testing.T, g *gateway, d delivery, transport *http.Transport, body io.Reader) (answer, error) {
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), d.method, "http://"+g.addr+d.path, body)
	if err != nil {
		return answer{}, err
	}
	for _, h := range d.headers {
		// By assignment, because Add would change the name's case; but the
		// client knows its own User-Agent by the canonical name only.
		name := h.name
		if strings.EqualFold(name, "User-Agent") {
			name = "User-Agent"
		}
		r.Header[name] = append(r.Header[name], h.value)
	}
	c := http.Client{
		Transport:     transport,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return read(c.Do(r))
}

func read(response *http.Response, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}, err
}

// sendWith goes through a script that reads requests as JSON lines.
func sendWith(program, script string) func(*testing.T, *gateway, delivery) (answer, error) {
	return func(t *testing.T, g *gateway, d delivery) (answer, error) {
		t.Helper()
		var said struct {
			Status  int               `json:"status"`
			Headers map[string]string `json:"headers"`
			Body    []byte            `json:"body_base64"`
			Error   string            `json:"error"`
		}
		err := helper(t, program, script).ask(map[string]any{
			"url": "http://" + g.addr + d.path, "method": d.method,
			"headers": pairs(d.headers), "body_base64": nonNil(d.body),
		}, &said)
		if err != nil {
			return answer{}, err
		}
		if said.Error != "" {
			return answer{}, errors.New(said.Error)
		}
		a := answer{status: said.Status, header: http.Header{}, body: said.Body}
		for name, value := range said.Headers {
			a.header.Set(name, value)
		}
		return a, nil
	}
}

// nonNil keeps an empty body from becoming null in JSON.
func nonNil(body []byte) []byte { return append([]byte{}, body...) }

func pairs(headers []header) [][2]string {
	list := make([][2]string, len(headers))
	for i, h := range headers {
		list[i] = [2]string{h.name, h.value}
	}
	return list
}

// sendAfterReload tries again when the connection is cut without an answer:
// Caddy closes the old listener after the new one is there, and with it the
// connections that nobody has accepted yet.
func (g *gateway) sendAfterReload(t *testing.T, d delivery) answer {
	t.Helper()
	var a answer
	poll(t, "an answer after the reload", func() bool {
		var err error
		a, err = sendGo(t, g, d)
		return err == nil
	})
	return a
}
