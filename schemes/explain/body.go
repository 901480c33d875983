package explain

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"iter"
	"net/url"
)

// bodyTry is a body that could have been signed.
type bodyTry struct {
	body    []byte
	finding Finding
}

// tryBody takes a body to try with its finding, and tells whether to go on.
type tryBody func(b []byte, what, do string) (going bool)

const (
	byteOrderMark = "\ufeff"

	asSent = "pass on, and keep, the bytes as they were sent; if they are, have the sender sign the bytes that it sends"
)

// bodies are the bodies that could have been signed in place of the one that
// is there.
func bodies(body []byte) iter.Seq[bodyTry] {
	return func(yield func(bodyTry) bool) {
		going := true
		try := func(b []byte, what, do string) bool {
			if going && len(b) > 0 && !bytes.Equal(b, body) {
				going = yield(bodyTry{b, Finding{what, do}})
			}
			return going
		}
		lineEnds(body, try)
		bare, marked := bytes.CutPrefix(body, []byte(byteOrderMark))
		if marked {
			try(bare, "the body has a byte order mark in front that is not signed", "keep or write the body as UTF-8 without a byte order mark")
		} else {
			try(append([]byte(byteOrderMark), body...), "the body lacks a byte order mark that is signed", asSent)
		}
		rewritten(body, try)
		encoded(body, try)
		if going && len(body) > 0 {
			yield(bodyTry{nil, Finding{
				"the signature is the one of an empty body",
				"the sender read its body before it signed, so that nothing was left: have it sign the bytes that it sends",
			}})
		}
	}
}

// lineEnds are the bodies with other line ends.
func lineEnds(body []byte, try tryBody) {
	const surplus, lacking = "the body has a line end at its end that is not signed", "the body lacks a line end at its end that is signed"
	const surplusDo = "take it off: an editor or echo adds one to a file (printf does not); if it was sent so, have the sender sign the bytes that it sends"
	const lackingDo = "keep it: a shell and an editor drop line ends, curl --data-binary does not; if it was sent so, have the sender sign the bytes that it sends"
	for _, end := range []string{"\r\n", "\n", "\r"} {
		if bare, ok := bytes.CutSuffix(body, []byte(end)); ok {
			try(bare, surplus, surplusDo)
		}
		try(append(bytes.Clone(body), end...), lacking, lackingDo)
	}
	try(bytes.TrimSpace(body), "the body has blanks or line ends around it that are not signed", surplusDo)
	lf := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	try(lf, "the lines of the body end in CR LF, and in LF where it was signed",
		"the line ends were converted: "+asSent)
	try(bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n")), "the lines of the body end in LF, and in CR LF where it was signed",
		"the line ends were converted: "+asSent)
	try(bytes.ReplaceAll(bytes.ReplaceAll(lf, []byte("\r"), nil), []byte("\n"), nil), "the body was signed without its line ends",
		"curl -d @FILE drops line ends: sign and send with --data-binary @FILE")
}

// encoded are the bodies that were decoded or encoded on the way.
func encoded(body []byte, try tryBody) {
	text := string(body)
	const decodedDo = "sign and send the same form of the body: what stands on the wire is what counts"
	if plain, err := url.QueryUnescape(text); err == nil {
		try([]byte(plain), "the body is percent-encoded, and was signed decoded", decodedDo)
	}
	if plain, err := url.PathUnescape(text); err == nil {
		try([]byte(plain), "the body is percent-encoded, and was signed decoded", decodedDo)
	}
	if form, err := url.ParseQuery(text); err == nil && len(form) == 1 {
		for _, values := range form {
			try([]byte(values[0]), "the body is a form, and only the value of its field was signed", decodedDo)
		}
	}
	try([]byte(url.QueryEscape(text)), "the body was signed percent-encoded", decodedDo)
	try([]byte(url.PathEscape(text)), "the body was signed percent-encoded", decodedDo)
	if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
		try(plain, "the body is base64, and was signed decoded", "decode it: some gateways and logs keep bodies in base64")
	}
	if quoted, err := json.Marshal(text); err == nil {
		try(quoted, "the body was signed as a JSON string, in quotes and with escapes", "have the sender sign the body itself, not JSON that is encoded once more")
	}
}
