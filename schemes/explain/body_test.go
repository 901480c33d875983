package explain

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

// TestBody signs one body and verifies another one.
func TestBody(t *testing.T) {
	const lines = "{\n\"a\": 1,\n\"event_id\": 4\n}"
	crlf := strings.ReplaceAll(lines, "\n", "\r\n")
	for _, c := range []struct{ name, signed, kept, want string }{
		{"a line end too many", body, body + "\n", "the body has a line end at its end that is not signed"},
		{"a CR LF too many", body, body + "\r\n", "the body has a line end at its end that is not signed"},
		{"two line ends too many", body, body + "\n\n", "the body has blanks or line ends around it"},
		{"a line end lost", body + "\n", body, "the body lacks a line end at its end that is signed"},
		{"a CR LF lost", body + "\r\n", body, "the body lacks a line end at its end that is signed"},
		{"LF made of CR LF", crlf, lines, "the lines of the body end in LF, and in CR LF where it was signed"},
		{"CR LF made of LF", lines, crlf, "the lines of the body end in CR LF, and in LF where it was signed"},
		{"signed by curl -d", strings.ReplaceAll(lines, "\n", ""), lines, "the body was signed without its line ends"},
		{"a byte order mark", body, byteOrderMark + body, "the body has a byte order mark in front that is not signed"},
		{"a byte order mark lost", byteOrderMark + body, body, "the body lacks a byte order mark"},
		{"percent-encoded", body, url.QueryEscape(body), "the body is percent-encoded, and was signed decoded"},
		{"percent-encoded as in a path", "{\"event_id\":4,\"a\":\"b+c\"}", url.PathEscape("{\"event_id\":4,\"a\":\"b+c\"}"), "the body is percent-encoded, and was signed decoded"},
		{"percent-decoded", url.QueryEscape(body), body, "the body was signed percent-encoded"},
		{"in a form", body, "payload=" + url.QueryEscape(body), "the body is a form, and only the value of its field was signed"},
		{"in base64", body, base64.StdEncoding.EncodeToString([]byte(body)), "the body is base64, and was signed decoded"},
		{"a JSON string", `"{\"a\":1}"`, `{"a":1}`, "the body was signed as a JSON string"},
		{"empty", "", body, "the signature is the one of an empty body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			everyScheme(t, all, func(t *testing.T, s specimen) {
				if s.event == "" {
					s.event = eventFor(s, c.signed)
				}
				d, ok := s.signedBody(c.signed)
				if !ok {
					t.Fatal("cannot sign")
				}
				if !d.accepted() {
					t.Skipf("%s refuses such a body, whatever its signature", s.scheme.Name())
				}
				d.Body = []byte(c.kept)
				d.expect(t, c.want)
			})
		})
	}
}

// eventFor returns an event for schemes that otherwise take it from the body.
func eventFor(s specimen, text string) string {
	if _, ok := s.signedBody(text); ok {
		return ""
	}
	return "4"
}
