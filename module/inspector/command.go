package inspector

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// verifyCommand is the command that verifies a delivery whose two files were
// saved. The secret is only named: the page does not know it, and a shell's
// history should not either.
func verifyCommand(d *delivery) string {
	words := []string{"hooklatch", "webhook", "verify"}
	scheme, known := schemes.Get(d.Scheme)
	if known {
		words = append(words, "--scheme", d.Scheme)
	} else {
		words = append(words, "--definition", d.Scheme+".txt")
	}
	words = append(words, "--secret", "env:"+variable(d.Provider), "--headers", headersFile)
	words = append(words, "--at", d.Time.UTC().Format(time.RFC3339))
	if known && scheme.SignsRequest() { // headers.txt has both too, to be corrected in one place or the other
		words = append(words, "--url", requestURL(d))
		if d.Method != "" && d.Method != http.MethodPost {
			words = append(words, "--method", d.Method)
		}
	}
	words = append(words, bodyFile)
	for i, word := range words {
		words[i] = quoteForShell(word)
	}
	return strings.Join(words, " ")
}

// variable is the name of the environment variable that a label suggests.
func variable(label string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, label)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name + "_SECRET"
}

// requestURL is the URL as the gateway saw it. Behind a proxy that ends TLS or
// changes paths, the provider signed another one.
func requestURL(d *delivery) string {
	host := cmp.Or(firstOf(d.Headers["Host"]), "localhost")
	return "https://" + host + cmp.Or(d.URI, d.Path)
}

func firstOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// quoteForShell makes one word of sh out of any text. Nothing is special between
// single quotes but their end.
func quoteForShell(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// headersText writes the headers as the command webhook verify reads them. A
// value of net/http has no line end, so none can look like another header.
func headersText(d *delivery) string {
	var text strings.Builder
	if u, err := url.Parse(requestURL(d)); err == nil && u.Host != "" {
		text.WriteString("Request URL: " + requestURL(d) + "\n")
	}
	if d.Method != "" {
		text.WriteString("Request method: " + d.Method + "\n")
	}
	for _, line := range headerLines(d.Headers) {
		text.WriteString(oneLine(line.Name) + ": " + oneLine(line.Value) + "\n")
	}
	return text.String()
}

// oneLine replaces line ends, which only a gateway gone wrong can send.
func oneLine(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}
