package harness

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Client sends a delivery in its own way. Use Can before Send: a client cannot
// send every delivery unchanged.
type Client struct {
	Name     string
	Send     func(t *testing.T, g *Gateway, d Delivery) (Answer, error)
	repeats  bool // a header more than once
	nonASCII bool // in a header's value
	anyURL   bool // also characters that no URL may contain
}

// Clients returns every kind of client.
func Clients() []Client {
	return []Client{
		{Name: "go", Send: SendGo, repeats: true, nonASCII: true},
		{Name: "raw", Send: sendRaw, repeats: true, nonASCII: true, anyURL: true},
		{Name: "curl", Send: SendCurl, repeats: true, nonASCII: true},
		{Name: "node", Send: sendWith("node", "clients/send.mjs")},
		{Name: "python", Send: sendWith("python3", "clients/send.py"), repeats: true},
	}
}

// Can reports whether the client is able to send exactly this delivery.
func (c Client) Can(d Delivery) bool {
	if !c.anyURL && strings.ContainsAny(d.Path, `{"`) {
		return false
	}
	seen := map[string]bool{}
	for _, h := range d.Headers {
		name := http.CanonicalHeaderKey(h.Name)
		if seen[name] && !c.repeats {
			return false
		}
		seen[name] = true
		for _, b := range []byte(h.Value) {
			if b >= 0x80 && !c.nonASCII {
				return false
			}
		}
	}
	return true
}

// Send sends a delivery with Go's client, or ends the test.
func (g *Gateway) Send(t *testing.T, d Delivery) Answer {
	t.Helper()
	a, err := SendGo(t, g, d)
	if err != nil {
		t.Fatalf("%s: %v", d.Path, err)
	}
	return a
}

// SendGo sends a delivery with Go's client.
func SendGo(t *testing.T, g *Gateway, d Delivery) (Answer, error) {
	return sendBody(t, g, d, bytes.NewReader(d.Body))
}

// SendChunked sends a delivery whose length the client does not know, so that
// it uses chunks.
func SendChunked(t *testing.T, g *Gateway, d Delivery) (Answer, error) {
	return sendBody(t, g, d, struct{ io.Reader }{bytes.NewReader(d.Body)})
}

// SendH2C sends a delivery over HTTP/2 without TLS, which the gateway's
// configuration must allow.
func SendH2C(t *testing.T, g *Gateway, d Delivery) (Answer, error) {
	transport := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return sendThrough(t, g, d, transport, bytes.NewReader(d.Body))
}

func sendBody(t *testing.T, g *Gateway, d Delivery, body io.Reader) (Answer, error) {
	return sendThrough(t, g, d, &http.Transport{DisableCompression: true}, body)
}

func sendThrough(t *testing.T, g *Gateway, d Delivery, transport *http.Transport, body io.Reader) (Answer, error) {
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), d.Method, "http://"+g.Addr+d.Path, body)
	if err != nil {
		return Answer{}, err
	}
	for _, h := range d.Headers {
		// Assign the header, because Add would change the case of its name.
		// Only User-Agent needs the canonical name, by which the client finds
		// it.
		name := h.Name
		if strings.EqualFold(name, "User-Agent") {
			name = "User-Agent"
		}
		r.Header[name] = append(r.Header[name], h.Value)
	}
	c := http.Client{
		Transport:     transport,
		Timeout:       Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return Read(c.Do(r))
}

// Read reads a response to its end.
func Read(response *http.Response, err error) (Answer, error) {
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, body}, err
}

// sendWith returns a function that sends with a script, which reads requests as
// JSON lines.
func sendWith(program, script string) func(*testing.T, *Gateway, Delivery) (Answer, error) {
	return func(t *testing.T, g *Gateway, d Delivery) (Answer, error) {
		t.Helper()
		var said struct {
			Status  int               `json:"status"`
			Headers map[string]string `json:"headers"`
			Body    []byte            `json:"body_base64"`
			Error   string            `json:"error"`
		}
		err := Helper(t, program, script).Ask(map[string]any{
			"url": "http://" + g.Addr + d.Path, "method": d.Method,
			"headers": Pairs(d.Headers), "body_base64": NonNil(d.Body),
		}, &said)
		if err != nil {
			return Answer{}, err
		}
		if said.Error != "" {
			return Answer{}, errors.New(said.Error)
		}
		a := Answer{Status: said.Status, Header: http.Header{}, Body: said.Body}
		for name, value := range said.Headers {
			a.Header.Set(name, value)
		}
		return a, nil
	}
}

// NonNil keeps an empty body from becoming null in JSON.
func NonNil(body []byte) []byte { return append([]byte{}, body...) }

// Pairs returns headers as pairs of a name and a value.
func Pairs(headers []Header) [][2]string {
	list := make([][2]string, len(headers))
	for i, h := range headers {
		list[i] = [2]string{h.Name, h.Value}
	}
	return list
}

// SendAfterReload tries again if the connection is cut without an answer: Caddy
// closes the old listener after it has opened the new one, and with it the
// connections that were not accepted yet.
func (g *Gateway) SendAfterReload(t *testing.T, d Delivery) Answer {
	t.Helper()
	var a Answer
	Poll(t, "an answer after the reload", func() bool {
		var err error
		a, err = SendGo(t, g, d)
		return err == nil
	})
	return a
}
