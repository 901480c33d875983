package webhook

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// TestReadHeaders reads one set of headers in every printed form.
func TestReadHeaders(t *testing.T) {
	want := http.Header{"X-A": {"1", "2"}, "B": {""}, "C": {"a, b: [c] {d}"}}
	inUTF16 := func(text string) string {
		var out strings.Builder
		out.WriteString("\xff\xfe")
		for i := range len(text) {
			out.WriteString(text[i:i+1] + "\x00")
		}
		return out.String()
	}
	for name, text := range map[string]string{
		"request":          "POST /a:b HTTP/1.1\r\nX-A: 1\r\nx-a:2\r\nB:\t\r\nC: a, b: [c] {d}\r\n\r\n",
		"answer":           "HTTP/2 200\nX-A: 1\nX-A: 2\nB:\nC: a, b: [c] {d}\n",
		"no first line":    "X-A:1\nx-A: 2 \nb: \nC: a, b: [c] {d}",
		"space before":     "X-A : 1\nX-A\t:2\nB :\nC : a, b: [c] {d}\n",
		"tabs":             "X-A\t1\nX-A\t2\nB\t\nC\ta, b: [c] {d}\n",
		"curl -v":          "> POST / HTTP/1.1\r\n> X-A: 1\r\n> X-A: 2\r\n> B:\r\n> C: a, b: [c] {d}\r\n>\r\n",
		"answer of curl":   "< HTTP/1.1 200 OK\n< X-A: 1\n< X-A: 2\n< B:\n< C: a, b: [c] {d}\n< \n",
		"folded":           "X-A: 1\nX-A:\n 2\nB:\n\nC: a, b:\n\t [c]\n    {d}\n",
		"all indented":     "  X-A: 1\n  X-A: 2\n  B:\n  C: a, b:\n     [c] {d}\n",
		"blank lines":      "\n\nX-A: 1\n\nX-A: 2\n\r\nB:\nC: a, b: [c] {d}\n\n",
		"byte order mark":  "\ufeffX-A: 1\nX-A: 2\nB:\nC: a, b: [c] {d}\n",
		"UTF-16":           inUTF16("X-A: 1\r\nX-A: 2\r\nB:\r\nC: a, b: [c] {d}\r\n"),
		"variables":        "HTTP_X_A=1\nHTTP_X_A: 2\nHTTP_B=\nHTTP_C=a, b: [c] {d}\n",
		"HTTP/2":           ":method: POST\n:path: /x\n:scheme: https\n:authority: h\n:status: 200\nx-a: 1\nx-a: 2\nb:\nc: a, b: [c] {d}\n",
		"a browser's page": "Request URL: https://h/x\nRequest Method: POST\nStatus Code: 200 OK\nRemote Address: 1.2.3.4:443\nReferrer Policy: origin\nx-a: 1\nx-a: 2\nb:\nc: a, b: [c] {d}\n",
		"JSON":             `{"X-A": ["1", "2"], "B": "", "C": "a, b: [c] {d}"}`,
		"JSON on lines":    "{\r\n  \"X-A\": [\r\n    \"1\",\r\n    \"2\"\r\n  ],\r\n  \"B\": \"\",\r\n  \"C\": \"a, b: \\u005bc] {d}\"\r\n}\r\n",
		"lines of JSON":    "  \"X-A\": [\"1\",\"2\"],\n  \"B\": \"\",\n  \"C\": \"a, b: [c] {d}\",\n",
		"Node":             "{\n  'x-a': [ '1', '2' ],\n  b: '',\n  c: 'a, b: [c] {d}'\n}",
		"Node's Headers":   "Headers { 'x-a': [ '1', '2' ], b: [''], c: [ 'a, b: [c] {d}' ] }",
		"Python":           `Headers({'X-A': '1', 'x-a': '2', 'B': "", 'C': "a, b: [c] {d}"})`,
		"Ruby":             `{"HTTP_X_A"=>["1", "2"], "HTTP_B"=>"", "HTTP_C"=>"a, b: [c] {d}"}`,
		"Go":               `map[B:[] C:[a, b: [c] {d}] X-A:[1] X-A:[2]]`,
		"Go with types":    `http.Header{"B":[]string{""}, "C":[]string{"a, b: [c] {d}"}, "X-A":[]string{"1", "2"}}`,
	} {
		k, err := readHeaders([]byte(text))
		if err != nil || !reflect.DeepEqual(k.header, want) {
			t.Errorf("%s: %v, %v", name, k, err)
		}
	}
}

// TestReadRequest: URL and method are read from the lines around the headers.
func TestReadRequest(t *testing.T) {
	for text, want := range map[string][2]string{
		"Request URL: https://h/x?y\nRequest method: PUT\nA: b":    {"https://h/x?y", "PUT"},
		"Request URL\thttps://h/x\nRequest method\tPOST\nA\tb":     {"https://h/x", "POST"},
		":method: GET\n:scheme: http\n:authority: h:8\n:path: /?y": {"http://h:8/?y", "GET"},
		":authority: h\n:path: /":                                  {"https://h/", ""},
		"DELETE /x HTTP/1.1\nA: b":                                 {"", "DELETE"},
		"HTTP/1.1 200 OK\nA: b":                                    {"", ""},
	} {
		k, err := readHeaders([]byte(text))
		if err != nil || k.url != want[0] || k.method != want[1] {
			t.Errorf("%q: %+v, %v", text, k, err)
		}
	}
}

// TestUnreadableHeaders: the error shows the line that cannot be read and its
// number.
func TestUnreadableHeaders(t *testing.T) {
	for text, want := range map[string]string{
		"POST /\n":                    `line 1 of the headers is not a header; write Name: value: "POST /"`,
		"A: b\nno header\n":           `line 2 of the headers is not a header; write Name: value: "no header"`,
		": b\n":                       `line 1 of the headers is not a header; write Name: value: ": b"`,
		":other: b\n":                 `line 1 of the headers does not begin with a header's name; write Name: value: "b"`,
		"A: b\nPOST / HTTP/1.1\n":     `line 2 of the headers is not a header; write Name: value: "POST / HTTP/1.1"`,
		"A: b\n\n c: d\n":             `line 3 of the headers continues no header; write Name: value: " c: d"`,
		"A: b\n* Connected\n":         `line 2 of the headers is not a header; write Name: value: "* Connected"`,
		"A: b\nC: \x01\n":             `line 2 of the headers has a control character in it; no server takes that: "\x01"`,
		"A: b\n\n{\"a\":1}\n":         `line 3 of the headers is not a header; write Name: value: "{\"a\":1}"`,
		"{\n\"A\": \"b\",\n\"C\"\n}":  `line 3 of the headers is not a header; write "Name": "value": "\"C\""`,
		"{\"A\": \"b\"}\nrest":        `line 2 of the headers goes on after the headers: "rest"`,
		"{\"A\": \"b":                 `line 1 of the headers has no value in quotes; write "Name": "value": "{\"A\": \"b"`,
		"{\"A\": [\"b\"":              `line 1 of the headers has no value in quotes; write "Name": "value": "{\"A\": [\"b\""`,
		"{\"A b\": \"c\"}":            `line 1 of the headers does not begin with a header's name; write Name: value: "{\"A b\": \"c\"}"`,
		"map[A:[b] C]":                `line 1 of the headers has no end; write map[Name:[value]]: "map[A:[b] C]"`,
		"map[A b:[c]]":                `line 1 of the headers is not a header; write map[Name:[value]]: "map[A b:[c]]"`,
		"map[A:[b":                    `line 1 of the headers has no end; write map[Name:[value]]: "map[A:[b"`,
		"map[A:[b]] C":                `line 1 of the headers goes on after the headers: "map[A:[b]] C"`,
		strings.Repeat("A: b\n", 100): "",
	} {
		k, err := readHeaders([]byte(text))
		switch {
		case want == "" && err != nil:
			t.Error(err)
		case want != "" && (err == nil || err.Error() != want):
			t.Errorf("%q: %v, %v\nwant %s", text, k, err, want)
		}
	}
}

// TestHeadersAsPeopleHaveThem verifies one delivery with headers from many
// sources.
func TestHeadersAsPeopleHaveThem(t *testing.T) {
	const (
		body      = `{"type":"a"}`
		signature = "sha256=52ec3fd6d02179e06555a9ce24c67737fbcd4c4cbdb641664eda1a0cf0d1ba06"
		square    = "pbIzD5wU6GZ40ns5QHve99D6GY475LZRWs9Eta6h8No="
		stripe    = "ca3c9fde2884a82eb422ea65c883238f03f4369aa4e13f2d39bca8f25235181a"
	)
	for _, c := range []struct {
		source, headers, scheme, secret, body string
		status                                int
		message                               string
	}{
		{source: "octokit/webhooks.js#1079", headers: "Request URL: https://example.com/hook\nRequest method: POST\nX-Hub-Signature-256: " + signature},
		{
			source: "Square's Request URL", headers: "Request URL: https://example.com/in?a=1\nx-square-hmacsha256-signature: " + square,
			scheme: "square", secret: "sq-key", body: "{}",
		},
		{
			source: "a URL that is none", headers: "Request URL: example.com\nx-square-hmacsha256-signature: " + square,
			scheme: "square", secret: "sq-key", body: "{}", status: 2, message: `the URL in the headers is not one: "example.com"`,
		},
		{source: "a copied table", headers: "X-Hub-Signature-256\t" + signature},
		{source: "JSON", headers: `{"X-Hub-Signature-256":"` + signature + `"}`},
		{source: "JSON with lists", headers: `{"X-Hub-Signature-256":["` + signature + `"]}`},
		{source: "Go", headers: "map[Accept:[*/*] X-Hub-Signature-256:[" + signature + "]]"},
		{source: "Node", headers: "{ 'x-hub-signature-256': '" + signature + "' }"},
		{source: "pasted", headers: "Accept: */*\n\nX-Hub-Signature-256: " + signature},
		{
			source: "Stripe's page", headers: "Stripe-Signature: t=1700000000,\n    v1=" + stripe + "\n",
			scheme: "stripe", secret: "k",
		},
		{source: "an editor", headers: "\ufeffX-Hub-Signature-256: " + signature},
		{source: "Rack, WSGI, PHP", headers: "HTTP_X_HUB_SIGNATURE_256: " + signature},
		{
			source: "any", headers: "Accept: */*\nnonsense here\nX-Hub-Signature-256: " + signature,
			status: 2, message: `line 2 of the headers is not a header; write Name: value: "nonsense here"`,
		},
	} {
		t.Run(c.source, func(t *testing.T) {
			if c.scheme == "" {
				c.scheme, c.secret = "github", "s"
			}
			if c.body == "" {
				c.body = body
			}
			o := run(t, []byte(c.body), "verify", "--at", "1700000000", "--scheme", c.scheme, "--secret", c.secret, "--headers", tempFile(t, []byte(c.headers)))
			if o.status != c.status || !strings.Contains(o.errOut, c.message) || (o.row("verdict") == "accepted") != (c.status == 0) {
				t.Errorf("status %d\n%s%s", o.status, o.out, o.errOut)
			}
		})
	}
}

// TestRequestMethodOfThePage: the line serves as --method, unless that is given.
func TestRequestMethodOfThePage(t *testing.T) {
	headers := tempFile(t, []byte("Request URL: https://h/x\nRequest method: PUT\n"+requestSignature("PUT", "https://h/x", "b")))
	for status, args := range map[int][]string{0: nil, 1: {"--method", "POST"}} {
		o := run(t, []byte("b"), append([]string{"verify", "--scheme", "test-request", "--secret", "k", "--headers", headers}, args...)...)
		if o.status != status {
			t.Errorf("%v: status %d\n%s%s", args, o.status, o.out, o.errOut)
		}
	}
}

// FuzzReadHeaders: headers that are read have names and values that are valid
// in HTTP, and can be printed and read again.
func FuzzReadHeaders(f *testing.F) {
	f.Add("A: b\n c\n\nHTTP_D=e")
	f.Add(`{"A": ["b", 'c'], D => e}`)
	f.Add("map[A:[b c] D:[e]]")
	f.Add("\xff\xfeA\x00:\x00b\x00")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := readHeaders([]byte(text))
		if err != nil {
			return
		}
		var lines strings.Builder
		for name, values := range k.header {
			for _, value := range values {
				if !isToken(name) || !isFieldValue(value) {
					t.Fatalf("%q: %q", name, value)
				}
				if strings.ContainsAny(name, "'`") {
					return // at the beginning, it is taken for a map's quote
				}
				fmt.Fprintf(&lines, "%s: %s\n", name, value)
			}
		}
		again, err := readHeaders([]byte(lines.String()))
		if err != nil {
			t.Fatalf("%q: %v", lines.String(), err)
		}
		for name, values := range k.header {
			if len(again.header[name]) != len(values) && !isVariable(name) {
				t.Fatalf("%q became %q", k.header, again.header)
			}
		}
	})
}
