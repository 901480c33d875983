package webhook

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestPastedHeaders reads one header in the ways in which terminals, browsers,
// platforms and languages print it. HERE stands for its value.
func TestPastedHeaders(t *testing.T) {
	const value = "t=1,v1=a/b+c=="
	for name, text := range map[string]string{
		"curl -v":            "*   Trying 127.0.0.1:8080...\n> POST / HTTP/1.1\n> X-Signature: HERE\n>\n* upload completely sent\n< HTTP/1.1 200 OK\n< X-Signature: other\n<\n* Connection #0 left intact\n",
		"curl -v, its data":  "} [12 bytes data]\n> X-Signature: HERE\n{ [5 bytes data]\n",
		"a curl command":     "curl -X POST https://h/x -H 'X-Signature: HERE' --data-raw '{}'",
		"on several lines":   "curl 'https://h/x' \\\n  -H 'X-Signature: HERE' \\\r\n  --compressed",
		"its options":        "-H \"X-Signature: HERE\"",
		"two lines":          "X-Signature:\nHERE\n",
		"two lines, a blank": "X-Signature:\n\nHERE\n",
		"a browser's table":  "X-Signature\nHERE\n",
		"one on two lines":   "Request URL: https://h/x\nX-Signature:\nHERE\n",
		"a browser's page":   "General\nRequest URL: https://h/x\nResponse Headers\nx-signature: other\nRequest Headers\nx-signature: HERE\n",
		"a quoted line":      "\"X-Signature: HERE\"\n",
		"a list":             "- X-Signature: HERE\n",
		"a table":            "| Header | Value |\n| --- | --- |\n| X-Signature | HERE |\n",
		"PHP":                "Array\n(\n    [X-Signature] => HERE\n)\n",
		"an archive":         `{"method":"POST","headers":[{"name":"X-Signature","value":"HERE"}]}`,
		"pairs":              `[["X-Signature","HERE"]]`,
		"keys":               `[{"key": "X-Signature", "value": "HERE"}]`,
		"Python's tuples":    `[('X-Signature', 'HERE')]`,
		"ASGI":               `[(b'x-signature', b'HERE')]`,
		"Werkzeug":           `EnvironHeaders([('X-Signature', 'HERE')])`,
		"rawHeaders":         "[\n  'X-Signature',\n  'HERE'\n]",
		"a Map":              "Map(1) { 'x-signature' => 'HERE' }",
		"Java":               "{x-signature=[HERE]}",
		"Spring":             `[X-Signature:"HERE"]`,
		"Lambda":             `{"version":"2.0","headers":{"x-signature":"HERE"},"body":"{}","isBase64Encoded":false}`,
		"a load balancer":    `{"headers":null,"multiValueHeaders":{"x-signature":["HERE"]}}`,
		"Caddy's log":        `{"level":"info","request":{"uri":"/x","headers":{"X-Signature":["HERE"]}},"resp_headers":{"X-Signature":["other"]}}`,
		"a platform's log":   "2024-01-01T00:00:00.000Z\t6f0e\tINFO\tHeaders: {\"X-Signature\": \"HERE\"}\n",
	} {
		k, err := readHeaders([]byte(strings.ReplaceAll(text, "HERE", value)))
		if err == nil && name == "a table" {
			delete(k.header, "Header")
		}
		if want := (http.Header{"X-Signature": {value}}); err != nil || !reflect.DeepEqual(k.header, want) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
}

// TestPastedInVain: the error shows the unreadable line with its number in
// every pasted form.
func TestPastedInVain(t *testing.T) {
	for text, want := range map[string]string{
		"* Trying\n> A: b\n> no header\n< C: d": "line 3 of the headers is not a header",
		"General\nA: b\nno header":              "line 3 of the headers is not a header",
		"[('A', None), ('B', None)]":            "line 1 of the headers has a value that is not in quotes",
		"[('A', 'b'), 'C']":                     "line 1 of the headers has a name and no value",
		"[('A', 'b'":                            "",
		"{\n\"headers\": {\n\"A\": b c\n}}":     "has no value in quotes",
		"{\n\"headers\": {\n\"A b\": \"c\"\n}}": "line 3 of the headers does not begin with a header's name",
		"- A: b\nno header":                     "line 1 of the headers is not a header",
		"[A] => b\nno header":                   "line 1 of the headers",
		"A:\nno header\nnor this":               "line 3 of the headers is not a header",
		"A:\nB: c\nno header":                   "line 3 of the headers is not a header",
		"curl https://h/x":                      "line 1 of the headers is not a header",
		"curl -H 'A: b":                         "line 1 of the headers",
	} {
		k, err := readHeaders([]byte(text))
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, %v, want %s", text, k, err, want)
		}
	}
}

// TestPastedIsBounded: texts that each step would read again are rejected
// early. Without the bounds, they take minutes and gigabytes.
func TestPastedIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"members in members": strings.Repeat(`{"request":`, 9000) + `"` + strings.Repeat("x", 250_000) + `"` + strings.Repeat("}", 9000),
		"many lines":         "A: b\n" + strings.Repeat(" a\n", 330_000),
	} {
		if _, err := readHeaders([]byte(text)); err == nil || len(err.Error()) > 4<<10 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
