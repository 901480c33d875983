package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
)

// url returns a URL as a provider's user writes it.
func (r rng) url(c *trial) string {
	host := pick(r, "example.com", "example.com", "example.com", "Example.COM", "127.0.0.1", "[::1]", "hooks.example.com")
	port := pick(r, "", "", "", "", ":443", ":80", ":8443")
	path := ""
	for range r.IntN(4) {
		path += "/" + r.piece("")
	}
	if path == "" && !r.oneIn(4) {
		path = "/"
	}
	query := ""
	for i := range r.IntN(5) {
		if query += "?"; i > 0 {
			query = query[:len(query)-1] + "&"
		}
		query += r.piece("=")
		if !r.oneIn(6) {
			query += "=" + r.piece("")
		}
		if r.oneIn(12) {
			query += pick(r, "&", "=", "&&", "?", ";")
		}
	}
	if path+query != "" {
		c.changed("URL")
	}
	return pick(r, "https://", "https://", "http://") + host + port + path + query
}

// piece returns a step of a path, or a name or value of a query.
func (r rng) piece(without string) string {
	switch r.IntN(8) {
	case 0, 1, 2:
		return r.text(6, letters)
	case 3:
		return url.QueryEscape(r.text(5, visible+" "+letter2))
	case 4:
		return url.PathEscape(r.text(5, visible+" "+letter2))
	case 5:
		return encodeURIComponent(r.text(5, visible+" "+letter2))
	case 6:
		return pick(r, ".", "..", "%2e", "%2E%2e", "%00", "%ff", "%C3%A9", "%c3%a9", "a%20b", "a+b", "%7C", "%27", "")
	}
	// Unescaped, except for characters that would end it or that no server
	// accepts.
	text := r.text(6, visible+letter2)
	return strings.NewReplacer("#", "", "?", "", "/", "", "&", "", "%", "%25", without, "").Replace(text)
}

// respelled returns a URL with one or two characters written differently.
func (r rng) respelled(text string) string {
	for range 1 + r.IntN(2) {
		text = r.respelledOnce(text)
	}
	return text
}

func (r rng) respelledOnce(text string) string {
	scheme, rest, _ := strings.Cut(text, "://")
	host, rest := rest, ""
	if at := strings.IndexAny(host, "/?"); at >= 0 {
		host, rest = host[:at], host[at:]
	}
	path, query, asked := strings.Cut(rest, "?")
	switch n := r.IntN(12); {
	case n == 0:
		if bare := strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80"); bare != host {
			host = bare
		} else if !strings.Contains(host, ":8443") {
			host += pick(r, ":443", ":80")
		}
	case n == 1:
		host = pick(r, strings.ToLower(host), strings.ToUpper(host))
	case n == 2:
		path = pick(r, path+"/", strings.TrimSuffix(path, "/"), strings.ReplaceAll(path, "/", "/./"), strings.ReplaceAll(path, "/", "\\"), "/x/.."+path)
	case n == 3 && asked:
		parts := strings.Split(query, "&")
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		query = strings.Join(parts, "&")
	case n == 4 && asked:
		query = pick(r, query+"&", strings.ReplaceAll(query, "+", "%20"), strings.ReplaceAll(query, "%20", "+"), query+"&a=1", strings.ReplaceAll(query, "=&", "&"))
	case n == 5 && asked:
		if values, err := url.ParseQuery(query); err == nil {
			query = values.Encode()
		}
	case n == 6:
		path, query = r.otherCase(path), r.otherCase(query)
	case n < 9:
		path = r.otherEscape(path)
	default:
		query = r.otherEscape(query)
	}
	if asked {
		query = "?" + query
	}
	return scheme + "://" + host + path + query
}

// withPath returns a URL with a path, as HTTP sends it.
func withPath(text string) string {
	at := strings.Index(text, "://") + len("://")
	if end := strings.IndexAny(text[at:], "/?"); end < 0 {
		return text + "/"
	} else if text[at+end] == '?' {
		return text[:at+end] + "/" + text[at+end:]
	}
	return text
}

// otherCase writes the hex digits of escapes in the other case.
func (r rng) otherCase(text string) string {
	lower := r.oneIn(2)
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+2 >= len(text) {
			b.WriteByte(text[i])
			continue
		}
		if escape := text[i : i+3]; lower {
			b.WriteString(strings.ToLower(escape))
		} else {
			b.WriteString(strings.ToUpper(escape))
		}
		i += 2
	}
	return b.String()
}

// otherEscape escapes or unescapes one character. The result is always a URL
// that servers accept.
func (r rng) otherEscape(text string) string {
	if text == "" {
		return ""
	}
	i := r.IntN(len(text))
	if text[i] == '%' && i+2 < len(text) {
		plain, err := hex.DecodeString(text[i+1 : i+3])
		if err != nil || plain[0] <= ' ' || plain[0] == 0x7f || plain[0] == '#' || plain[0] == '%' || plain[0] >= 0x80 {
			return text
		}
		return text[:i] + string(plain) + text[i+3:]
	}
	if strings.IndexByte("/?&=", text[i]) >= 0 || i >= 1 && text[i-1] == '%' || i >= 2 && text[i-2] == '%' {
		return text
	}
	return text[:i] + "%" + strings.ToUpper(hex.EncodeToString([]byte{text[i]})) + text[i+1:]
}

// encodeURIComponent is JavaScript's.
func encodeURIComponent(text string) string {
	escaped := strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
	return strings.NewReplacer("%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(escaped)
}

// twilioTrial turns the body into a form or ends the URL with its digest, and
// sometimes announces another algorithm.
func (s specimen) twilioTrial(r rng, c *trial, d *draft, received *string) {
	if r.oneIn(6) {
		d.algorithm = pick(r, "HMAC_SHA256", "HMAC_SHA256", "HMAC_SHA256", "hmac_sha256", "HMAC_SHA512", "")
		c.changed("algorithm " + d.algorithm)
	}
	if r.oneIn(4) {
		digest := sha256.Sum256([]byte(d.body))
		more := pick(r, "&", "?")
		if !strings.Contains(d.url, "?") {
			more = "?"
		}
		more += pick(r, "bodySHA256=", "bodySHA256=", "bodySHA256=", "xbodySHA256=") + hex.EncodeToString(digest[:]) + pick(r, "", "", "", "&more=1")
		d.url += more
		*received += more
		c.changed("digest in the URL")
		return
	}
	var fields []string
	for range r.IntN(6) {
		name := pick(r, "CallSid", "Body", "From", "Digits", "a", "A", r.text(4, visible+" "+letter2))
		field := r.formEscape(name)
		if !r.oneIn(8) {
			field += "=" + r.formEscape(r.text(8, visible+" "+letter2))
		}
		fields = append(fields, field)
	}
	d.body = strings.Join(fields, pick(r, "&", "&", "&", "&&"))
	if r.oneIn(20) {
		d.body += pick(r, "&", "&x", "{", "&%zz=1", "&a=%ff", ";b=1", "=")
	}
}

func (r rng) formEscape(text string) string {
	switch r.IntN(8) {
	case 0:
		return encodeURIComponent(text)
	case 1:
		return strings.ReplaceAll(url.QueryEscape(text), "%2A", "*")
	}
	return url.QueryEscape(text)
}

// formFields returns the fields of a form as twilio-node signs them. It sorts
// the names, and the distinct values of a name, in UTF-16.
func formFields(body string) (text string, ok bool) {
	values, err := url.ParseQuery(body)
	if err != nil {
		return "", false
	}
	byUTF16 := func(a, b string) int {
		return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.SortFunc(names, byUTF16)
	for _, name := range names {
		slices.SortFunc(values[name], byUTF16)
		for _, value := range slices.Compact(values[name]) {
			text += name + value
		}
	}
	return text, true
}
