package explain

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

const tableSecret = "the secret of this test"

// keptAs returns a delivery whose signature covers one body while another was
// kept.
func keptAs(signed, kept string) *Delivery {
	return headerOf("craneops", tableSecret, kept, "X-Craneops-Signature", hex.EncodeToString(macOf(tableSecret, signed)))
}

// headerOf returns a delivery of a scheme with one header.
func headerOf(scheme, secret, body, name, value string) *Delivery {
	s, _ := schemes.Get(scheme)
	return &Delivery{
		Scheme: s, Secrets: []string{secret}, Body: []byte(body),
		Request: schemes.Request{Method: "POST", Scheme: "https", Host: "h", URI: "/x?a=1&b=2", Header: http.Header{name: {value}}},
	}
}

// configuredAs returns a delivery that is signed with a key while another
// secret is configured.
func configuredAs(key, secret string) *Delivery {
	d := keptAs("{}", "{}")
	d.Secrets = []string{secret}
	d.Request.Header.Set("X-Craneops-Signature", hex.EncodeToString(macOf(key, "{}")))
	return d
}

// decoding returns such a delivery for a scheme whose secrets are decoded.
func decoding(form, key, secret string) *Delivery {
	scheme, err := schemes.Definition{Signature: schemes.SignatureForm{Header: "X-Craneops-Signature"}, Key: form}.Compile("test")
	if err != nil {
		panic(err)
	}
	d := configuredAs(key, secret)
	d.Scheme = scheme
	return d
}

// requested returns a delivery that is signed for another URL or method.
func requested(method, url string) *Delivery {
	d := headerOf("test-request", tableSecret, "{}", "X-Request-Signature", "")
	d.Request.Header.Set("X-Request-Signature", hex.EncodeToString(macOf(tableSecret, method+"\n"+url+"\n{}")))
	return d
}

// striped returns a Stripe delivery with a signature header.
func striped(signed, header string) *Delivery {
	return headerOf("stripe", tableSecret, "{}", "Stripe-Signature",
		strings.ReplaceAll(header, "MAC", hex.EncodeToString(macOf(tableSecret, signed))))
}

func gzipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

func zlibbed(text string) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return out.String()
}

// mistakes returns deliveries for every row of the table.
func mistakes() map[string][]*Delivery {
	const (
		accents = `{"t":"é"}`
		latin1  = "{\"t\":\"\xe9\"}"
		twice   = `{"t":"Ã©"}`
		crlf    = "{\r\n}"
		shopify = "rdhTsQP7zJNqGU+esV4pxP8Ir25H1dG8pPICGOMeT/8="
	)
	definition := schemes.Definition{Signature: schemes.SignatureForm{Header: "X-Own"}}
	own, err := definition.Compile("own")
	if err != nil {
		panic(err)
	}
	defined := headerOf("craneops", tableSecret, "{}", "X-Own", base64.StdEncoding.EncodeToString(macOf(tableSecret, "{}")))
	defined.Scheme, defined.Definition = own, &definition

	sha512OfBody := hmac.New(sha512.New, []byte(tableSecret))
	sha512OfBody.Write([]byte("{}"))
	digest := sha256.Sum256([]byte("{}"))
	notLast := headerOf("twilio", tableSecret, "{}", "X-Twilio-Signature", "")
	notLast.Request.URI = fmt.Sprintf("/x?bodySHA256=%x&foo=1", digest)
	ofURL := hmac.New(sha1.New, []byte(tableSecret))
	ofURL.Write([]byte(notLast.Request.URL()))
	notLast.Request.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(ofURL.Sum(nil)))

	repeated := headerOf("github", tableSecret, "{}", "X-Hub-Signature-256", "")
	repeated.Request.Header["X-Hub-Signature-256"] = []string{"sha256=00", "sha256=" + hex.EncodeToString(macOf(tableSecret, "{}"))}
	raw := string(rawKey)
	rawHex, raw64 := hex.EncodeToString(rawKey), base64.StdEncoding.EncodeToString(rawKey)

	return map[string][]*Delivery{
		"line end":                {keptAs("{}", "{}\n"), keptAs("{}", "{}\r\n")},
		"signed: line end":        {keptAs("{}\n", "{}"), keptAs("{}\r\n", "{}")},
		"white space":             {keptAs("{}", " {}\n\n")},
		"CR LF":                   {keptAs("a\nb", "a\r\nb")},
		"signed: CR LF":           {keptAs(crlf, "{\n}")},
		"signed: no line ends":    {keptAs("ab", "a\r\nb")},
		"byte order mark":         {keptAs("{}", "\ufeff{}")},
		"signed: byte order mark": {keptAs("\ufeff{}", "{}")},
		"JSON written anew":       {keptAs(`{"a":1}`, `{ "a": 1 }`), keptAs("{\n\t\"a\": 1\n}", `{"a":1}`)},
		"character set":           {keptAs(accents, latin1), keptAs("{\"t\":\"a€\"}", "{\"t\":\"a\x80\"}")},
		"signed: character set":   {keptAs(latin1, accents), keptAs("{\"t\":\"\x80\"}", `{"t":"€"}`)},
		"UTF-8 twice":             {keptAs(accents, twice), keptAs(`{"t":"€"}`, `{"t":"â‚¬"}`)},
		"signed: UTF-8 twice":     {keptAs(twice, accents)},
		"UTF-16": {
			keptAs(`{"t":1}`, string(encodeUTF16(byteOrderMark+`{"t":1}`, binary.LittleEndian))), keptAs(accents, string(encodeUTF16(byteOrderMark+accents, binary.BigEndian))),
			keptAs(`{"t":1}`, string(encodeUTF16(`{"t":1}`, binary.LittleEndian))), keptAs(accents, string(encodeUTF16(accents, binary.BigEndian))),
		},
		"signed: UTF-16": {
			keptAs(string(encodeUTF16(byteOrderMark+accents, binary.LittleEndian)), accents), keptAs(string(encodeUTF16(accents, binary.BigEndian)), accents),
		},
		"signed: form's field":     {keptAs("payload=%7B%22a%22%3A1%7D", `{"a":1}`), keptAs("mandrill_events=%5b1%2c+2%5d", `[1, 2]`)},
		"form's field":             {keptAs(`{"a": 1}`, "payload=%7B%22a%22%3A+1%7D"), keptAs(`{"a":1}`, "x=y&payload=%7B%22a%22%3A1%7D")},
		"form written anew":        {keptAs("text=a+b", "text=a%20b"), keptAs("a=1&b=%2f", "b=%2F&a=1"), keptAs("b=%2f&d=1&a=2&c=3&e=~", "a=2&b=%2f&c=3&d=1&e=~"), keptAs("b=1&a=2&a=1", "a=1&a=2&b=1"), keptAs("z=0&a=1&b=2&c=3&d=4&e=5&f=6&g=7", "a=1&b=2&c=3&d=4&e=5&f=6&g=7&z=0")},
		"form as JSON":             {keptAs("text=a+b&n=1&n=2", `{"text":"a b","n":["1",2]}`)},
		"signed: form as JSON":     {keptAs(`{"text":"a b","n":"1"}`, "text=a+b&n=1")},
		"platform's event":         {keptAs(`{"a":1}`, `{"body":"{\"a\":1}","isBase64Encoded":false}`), keptAs(`{"a":1}`, `{"body":"eyJhIjoxfQ==","isBase64Encoded":true}`), keptAs(`{"a": 1}`, `{"rawBody":{"a": 1}}`), keptAs(`{"a":1}`, `{"Records":[{"messageId":"1","body":"{\"a\":1}"}]}`), keptAs(`{"a":1}`, `{"message":{"data":"eyJhIjoxfQ==","messageId":"1"}}`), keptAs(`{"a":1}`, `{"method":"POST","rawBody":{"type":"Buffer","data":[123,34,97,34,58,49,125]}}`)},
		"bytes as numbers":         {keptAs("{}", `{"type":"Buffer","data":[123,125]}`), keptAs(`{"a":1}`, "<Buffer 7b 22 61 22 3a 31 7d>"), keptAs(`{"a":1}`, "[123,34,97,34,58,49,125]"), keptAs(`{"a":1}`, "[123 34 97 34 58 49 125]"), keptAs(`{"a":1}`, "Uint8Array(7) [\n  123, 34, 97, 34,\n  58, 49, 125\n]"), keptAs(`{"a":1}`, `{"0":123,"1":34,"2":97,"3":34,"4":58,"5":49,"6":125}`), keptAs("{\"\xc3\xa9\":1}", "[123, 34, -61, -87, 34, 58, 49, 125]"), keptAs(`{"a":1}`, "[]byte{0x7b, 0x22, 0x61, 0x22, 0x3a, 0x31, 0x7d}")},
		"signed: bytes as numbers": {keptAs(`{"type":"Buffer","data":[123,125]}`, "{}"), keptAs("<Buffer 7b 22 61 22 3a 31 7d>", `{"a":1}`), keptAs("[123,34,97,34,58,49,125]", `{"a":1}`), keptAs("123,34,97,34,58,49,125", `{"a":1}`), keptAs("[123, 34, 97, 34, 58, 49, 125]", `{"a":1}`), keptAs("[123 34 97 34 58 49 125]", `{"a":1}`), keptAs(`{"0":123,"1":125}`, "{}")},
		"JSON string":              {keptAs(`{"a":1}`, `"{\"a\":1}"`), keptAs(`{"a":1}`, `{\"a\":1}`)},
		"signed: JSON string":      {keptAs(`"{\"a\":\"<\"}"`, `{"a":"<"}`), keptAs(`"{\"a\":\"\u003c\"}"`, `{"a":"<"}`)},
		"Python bytes":             {keptAs("{\"a\":\"'\xc3\xa9\\n\"}", `b'{"a":"\'\xc3\xa9\\n"}'`)},
		"whole request":            {keptAs("{}", "POST /x HTTP/1.1\r\nHost: h\r\n\r\n{}"), keptAs("{}", "Host: h\nA: b\n\n{}")},
		"chunks":                   {keptAs(`{"a":1}`, "3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n")},
		"HTML":                     {keptAs(`{"a":"<"}`, `{&quot;a&quot;:&quot;&lt;&quot;}`)},
		"signed: HTML":             {keptAs(`{&quot;a&quot;:1}`, `{"a":1}`), keptAs(`{&#34;a&#34;:1}`, `{"a":1}`), keptAs(`&lt;a b="c"&gt;`, `<a b="c">`)},
		"percent-encoding":         {keptAs(`{"a": 1}`, "%7B%22a%22%3A+1%7D"), keptAs(`{"a":"+"}`, "%7B%22a%22%3A%22+%22%7D"), keptAs(`{"a":1}`, "%7b%22a%22%3a1%7d")},
		"signed: percent-encoding": {keptAs("%7B%22a%22%3A+1%7D", `{"a": 1}`), keptAs("%7b%22a%22%3a%201%7d", `{"a": 1}`)},
		"base64":                   {keptAs(`{"a":1}`, "eyJhIjoxfQ=="), keptAs(`{"a":1}`, "eyJhIjoxfQ")},
		"signed: base64":           {keptAs("eyJhIjoxfQ==", `{"a":1}`), keptAs("eyJhIjoxfQ", `{"a":1}`), keptAs("eyJhIjoxfQ==\n", `{"a":1}`)},
		"hex":                      {keptAs(`{"a":1}`, "7b2261223a317d"), keptAs(`{"a":1}`, "0x7B2261223A317D"), keptAs(`{"a":1}`, "7B-22-61-22-3A-31-7D"), keptAs(`{"a":1}`, `\x7b\x22\x61\x22\x3a\x31\x7d`), keptAs("{\"a\":123456789}", "00000000: 7b22 6122 3a31 3233 3435 3637 3839 7d    {\"a\":123456789}\n"), keptAs("{\"a\":1234567890}", "00000000  7b 22 61 22 3a 31 32 33  34 35 36 37 38 39 30 7d  |{\"a\":1234567890}|\n00000010\n")},
		"signed: hex":              {keptAs("7b2261223a317d", `{"a":1}`), keptAs("7B2261223A317D", `{"a":1}`)},
		"compression":              {keptAs(`{"a":1}`, gzipped(`{"a":1}`)), keptAs(`{"a":1}`, zlibbed(`{"a":1}`)), keptAs(gzipped(`{"a":1}`), gzipped(gzipped(`{"a":1}`)))},
		"compressed":               {keptAs(gzipped(`{"a":1}`), `{"a":1}`), keptAs(zlibbed(`{"a":1}`), `{"a":1}`)},
		"empty body signed":        {keptAs("", "{}")},
		"signed: Python bytes": {
			keptAs(`b'{"a":1}'`, `{"a":1}`),
			keptAs(`b'{"a":"\'\xc3\xa9\n"}'`, "{\"a\":\"'\xc3\xa9\n\"}"),
		},
		"word processor": {
			keptAs(`{"a": "it's"}`, "{“a”:\u00a0“it’s”}"),
			keptAs(`{"a":"x - y..."}`, "{“a”:“x – y…”}"),
			keptAs(`{"a": "é"}`, "{\"a\":\u00a0\"é\"}"),
		},
		"signed: word processor": {
			keptAs("{“a”: “it’s”}", `{"a": "it's"}`),
			keptAs("{\"a\":\u00a01}", `{"a": 1}`),
		},
		"signed: platform's event": {
			keptAs(`{"body":"{\"a\":1}","isBase64Encoded":false}`, `{"a":1}`),
			keptAs(`{"body":"eyJhIjoxfQ==","isBase64Encoded":true}`, `{"a":1}`),
			keptAs(`{"body": {"a":1}}`, `{"a":1}`),
			keptAs(`[{"a":1}]`, `{"a":1}`),
		},
		"member": {
			keptAs(`{"a":1}`, `{"own":{"name":"{\"a\":1}"}}`),
			keptAs(`{"a":1}`, `[{"a":1}]`),
		},
		"form's part": {
			keptAs(`{"a":1}`, "--x\r\nContent-Disposition: form-data; name=\"payload\"\r\n\r\n{\"a\":1}\r\n--x--\r\n"),
		},
		"blanks as + or %20": {
			keptAs(`{"a":"x+y"}`, `{"a":"x y"}`),
			keptAs(`{"a":"x%20y"}`, `{"a":"x y"}`),
		},
		"data: URL": {
			keptAs(`{"a":1}`, "data:application/json;base64,eyJhIjoxfQ=="),
			keptAs(`{"a":1}`, "data:application/json;charset=utf-8;base64,eyJhIjoxfQ=="),
			keptAs(`{"a":1}`, "data:application/json,%7B%22a%22%3A1%7D"),
			keptAs(`{"a":1}`, "data:;base64,eyJhIjoxfQ"),
			keptAs(`{"a":1}`, "application/json;base64,eyJhIjoxfQ=="),
		},
		"signed: data: URL": {
			keptAs("data:application/json;base64,eyJhIjoxfQ==", `{"a":1}`),
			keptAs("data:text/plain;charset=utf-8,%7B%22a%22%3A1%7D", `{"a":1}`),
		},

		"digest not last":    {notLast},
		"other URL":          {requested("POST", "http://h/x?a=1&b=2"), requested("POST", "https://h/x/")},
		"WebSocket":          {requested("POST", "wss://h/x?a=1&b=2")},
		"query written anew": {requested("POST", "https://h/x?b=2&a=1")},
		"other method":       {requested("PUT", "https://h/x?a=1&b=2")},
		"definition":         {defined},

		"white space around the secret":    {configuredAs("k", "k\n"), configuredAs("k", "\ufeffk")},
		"quotes around the secret":         {configuredAs("k", `"k"`)},
		"surplus whsec_":                   {configuredAs("k", "whsec_k")},
		"whsec_ lacking":                   {configuredAs("whsec_k", "k")},
		"sender's line end":                {configuredAs("k\n", "k")},
		"sender's quotes":                  {configuredAs(`"k"`, "k")},
		"secret percent-encoded":           {configuredAs("k+/", "k%2B%2F")},
		"secret's case":                    {configuredAs("abcd", "ABcd")},
		"secret not decoded by the sender": {decoding("base64", raw64, raw64)},
		"secret decoded from base64":       {configuredAs(raw, raw64)},
		"secret decoded from hex":          {configuredAs(raw, rawHex)},
		"secret otherwise in base64":       {decoding("hex", base64Of("abcdef0123456789"), "abcdef0123456789")},
		"secret otherwise in hex":          {decoding("base64", raw, rawHex)},

		"other scheme":                  {headerOf("stripe", tableSecret, "{}", "X-Craneops-Signature", hex.EncodeToString(macOf(tableSecret, "{}")))},
		"header percent-encoded":        {headerOf("shopify", "k", "{}", "X-Shopify-Hmac-Sha256", strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(shopify))},
		"header's + lost":               {headerOf("shopify", "k", "{}", "X-Shopify-Hmac-Sha256", strings.ReplaceAll(shopify, "+", " "))},
		"header escaped":                {headerOf("shopify", "k", "{}", "X-Shopify-Hmac-Sha256", `"`+shopify+`"`), headerOf("shopify", "k", "{}", "X-Shopify-Hmac-Sha256", strings.ReplaceAll(shopify, "/", `\/`))},
		"blanks in the header":          {striped("1769860800.{}", "t=1769860800, v1=MAC")},
		"header twice":                  {repeated, headerOf("github", tableSecret, "{}", "X-Hub-Signature-256", "sha256=00, sha256="+hex.EncodeToString(macOf(tableSecret, "{}")))},
		"time signed in another unit":   {striped("1769860800000.{}", "t=1769860800,v1=MAC")},
		"time sent in another unit":     {striped("1769860800000.{}", "t=1769860800000,v1=MAC"), striped("1769860800.{}", "t=2026-01-31T12:00:00Z,v1=MAC")},
		"older version":                 {striped("1769860800.{}", "t=1769860800,v1="+strings.Repeat("0", 64)+",v0=MAC")},
		"body alone signed":             {striped("{}", "t=1769860800,v1=MAC")},
		"signature cut off":             {headerOf("craneops", tableSecret, "{}", "X-Craneops-Signature", hex.EncodeToString(macOf(tableSecret, "{}"))[:30])},
		"other hash":                    {headerOf("craneops", tableSecret, "{}", "X-Craneops-Signature", hex.EncodeToString(sha512OfBody.Sum(nil)))},
		"signature in another form":     {headerOf("craneops", tableSecret, "{}", "X-Craneops-Signature", base64.StdEncoding.EncodeToString(macOf(tableSecret, "{}")))},
		"token in place of a signature": {headerOf("gitlab", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "{}", "X-Gitlab-Token", "sometoken")},
		"older header": {
			headerOf("github", tableSecret, "{}", "X-Hub-Signature", "sha1="+strings.Repeat("0", 40)),
			headerOf("square", tableSecret, "{}", "X-Square-Signature", "5KMaQtzAFVFmvmEoLDlwLn0X5y4="),
		},
		"headers of another scheme": {headerOf("stripe", tableSecret, "{}", "X-Craneops-Signature", strings.Repeat("0", 64))},
	}
}

// base64Of decodes a text that is base64 by chance.
func base64Of(text string) string {
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return string(plain)
}

// TestTable: every row explains its mistakes, and no other row does. Without
// THOROUGH the latter is checked for every fourth row.
func TestTable(t *testing.T) {
	all := mistakes()
	for number, r := range table {
		t.Run(r.name, func(t *testing.T) {
			if all[r.name] == nil {
				t.Fatal("no delivery has this mistake")
			}
			others := slices.DeleteFunc(slices.Clone(table), func(other row) bool { return other.name == r.name })
			for i, d := range all[r.name] {
				e := d.Refused(context.Background(), d.reason())
				if !e.Proven || !e.Finished || len(e.Findings) != 1 || !r.says(e.Findings[0]) {
					t.Fatalf("delivery %d: %s: %+v", i, d.reason(), e)
				}
				if !thorough && (i > 0 || number%4 > 0) {
					continue
				}
				s := &search{Delivery: d, ctx: context.Background(), rows: others}
				for _, f := range s.run() {
					if f == e.Findings[0] {
						t.Errorf("delivery %d is explained without the row", i)
					}
				}
			}
			delete(all, r.name)
		})
	}
	for name := range all {
		t.Errorf("%s: no such row", name)
	}
}

// says reports whether a finding comes from the row.
func (r *row) says(f Finding) bool {
	if r.name == "definition" {
		return strings.HasPrefix(f.Do, "in the definition ")
	}
	before, after, _ := strings.Cut(r.what, "{}")
	return strings.HasPrefix(f.What, before) && strings.HasSuffix(f.What, after) && f.Do != "" && !strings.Contains(f.What+f.Do, "{}")
}

// TestTwoAtOnce: two mistakes in one delivery.
func TestTwoAtOnce(t *testing.T) {
	value := escapers[3].escape(base64.StdEncoding.EncodeToString(macOf(tableSecret, "{}")))
	encoded := headerOf("shopify", tableSecret, "{}\n", "X-Shopify-Hmac-Sha256", value)
	secret := headerOf("shopify", tableSecret+" ", "{}", "X-Shopify-Hmac-Sha256", value)
	for name, c := range map[string]struct {
		d    *Delivery
		want []string
	}{
		"base64 of an event": {
			keptAs(`{"a":1}`, base64.StdEncoding.EncodeToString([]byte(`{"body":"{\"a\":1}"}`))),
			[]string{"the body is base64", "what was kept is JSON around the body"},
		},
		"an event with another JSON": {
			keptAs(`{"a": 1}`, `{"body":"{\"a\":1}"}`),
			[]string{"what was kept is JSON around the body", "the same JSON, with a blank behind"},
		},
		"UTF-16 with a line end": {
			keptAs(`{"a":1}`, string(encodeUTF16("{\"a\":1}\r\n", binary.LittleEndian))),
			[]string{"the body is in UTF-16", "the body has a line end at its end"},
		},
		"a JSON string twice": {
			keptAs(`{"a":1}`, `"\"{\\\"a\\\":1}\""`),
			[]string{"the body was kept as a JSON string", "the body was kept as a JSON string"},
		},
		"header and body":   {encoded, []string{"the body has a line end at its end", "the signature is percent-encoded"}},
		"header and secret": {secret, []string{"the secret has blanks", "the signature is percent-encoded"}},
		"body alone, and a line end": {
			striped("{}\n", "t=1769860800,v1=MAC"),
			[]string{"the body lacks a line end", "the sender signed the body alone"},
		},
	} {
		t.Run(name, func(t *testing.T) { c.d.expect(t, c.want...) })
	}
}

// TestSigns: a change that cannot be undone is reported, but not as proven.
func TestSigns(t *testing.T) {
	for _, c := range []struct {
		body, header, value string
		want                string
	}{
		{`{"t":"?"}`, "", "", "? stands in the body"},
		{`{"t":"M?ller"}`, "", "", "? stands in the body"},
		{`{"t":"Why?","u":"https://h/?a=b","v":"a?"}`, "", "", ""},
		{`{"t":"é ?"}`, "", "", ""},
		{"{\"t\":\"\ufffd\"}", "", "", "the body has U+FFFD"},
		{`{"a":1}`, "Content-Length", "8", "Content-Length is 8, and it has 7 bytes"},
		{`{"a":1}`, "Content-Length", "7", ""},
		{`{"a":1}`, "Content-Encoding", "gzip", "the body was sent compressed with gzip"},
		{`{"a":1}`, "Content-Encoding", "br", "the body was sent compressed with br"},
		{`{"a":1}`, "Content-Encoding", "identity", ""},
		{`{"a":1,"b`, "", "", "the body is JSON that was cut off"},
		{`{"a":1} x`, "", "", ""},
		{`[object Object]`, "", "", "the body is what JavaScript writes"},
		{`{'a': 1}`, "", "", "the body is an object as Python or Node prints it"},
		{`map[a:1]`, "", "", "the body is a map as Go prints it"},
		{"Array\n(\n)", "", "", "the body is an array as PHP prints it"},
		{`{"a":1.2345678901234568e+22}`, "", "", "a number that may have been rounded"},
		{`{"a":12345678901234567000}`, "", "", "a number that may have been rounded"},
		{`{"a":12345678901234567}`, "", "", ""},
		{"<Buffer 7b 22 ... 48 more bytes>", "", "", "the body is the beginning of a Buffer as Node prints it"},
		{"\x28\xb5\x2f\xfd\x00", "Content-Encoding", "zstd", "the body is compressed with zstd"},
		{"a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8", "", "", "the fields of the form are in alphabetical order"},
		{"a=1&c=2&b=3&d=4&e=5&f=6&g=7&h=8", "", "", ""},
	} {
		d := configuredAs("another key", "k")
		d.Body = []byte(c.body)
		if c.header != "" {
			d.Request.Header.Set(c.header, c.value)
		}
		e := d.Refused(context.Background(), schemes.SignatureMismatch)
		switch {
		case e.Proven || e.Tried == "" || e.Next == "":
			t.Errorf("%s: %+v", c.body, e)
		case c.want == "" && e.Findings != nil:
			t.Errorf("%s: %+v", c.body, e.Findings)
		case c.want != "" && (len(e.Findings) != 1 || !strings.Contains(e.Findings[0].What, c.want) || e.Findings[0].Do == ""):
			t.Errorf("%s: %+v, want %s", c.body, e.Findings, c.want)
		}
	}
}

// TestContext: the search ends with its context, and says so.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := keptAs("{}", "{}\n")
	if e := d.Refused(ctx, schemes.SignatureMismatch); e.Finished || e.Proven || e.Findings != nil {
		t.Errorf("%+v", e)
	}
	if e := d.Refused(context.Background(), schemes.SignatureMismatch); !e.Finished || !e.Proven {
		t.Errorf("%+v", e)
	}
	if e := configuredAs("another", "k").Refused(context.Background(), schemes.SignatureMismatch); !e.Finished || e.Proven {
		t.Errorf("%+v", e)
	}
}

// TestEffort: the search ends with its effort, whatever the delivery is.
func TestEffort(t *testing.T) {
	d := keptAs("{}", "{}\n")
	s := &search{Delivery: d, ctx: context.Background(), rows: table, left: -1}
	start := candidate{scheme: d.Scheme, request: d.Request, body: d.Body}
	if found := s.one(start, func(*row) bool { return true }); found != nil || !s.cut {
		t.Errorf("%+v", found)
	}
}

// TestBomb: a small body that decompresses to a large one is left alone.
func TestBomb(t *testing.T) {
	for size, want := range map[int]int{maxDecompressed: 1, maxDecompressed + 1: 0} {
		tried := 0
		decompressed([]byte(gzipped(strings.Repeat("0", size))), func(b []byte, _ string) bool {
			tried++
			if len(b) > maxDecompressed {
				t.Errorf("%d bytes", len(b))
			}
			return true
		})
		if tried != want {
			t.Errorf("%d bytes: %d bodies are tried, want %d", size, tried, want)
		}
	}
}

// TestLargeBody: a large body is not copied in other encodings.
func TestLargeBody(t *testing.T) {
	for size, most := range map[int]int{maxChanged + 1: 20, maxCut + 1: 1} {
		n := 0
		for b := range bodies(make([]byte, size)) {
			if n++; len(b.body) > size+3 {
				t.Errorf("%d bytes: %s", len(b.body), b.finding.What)
			}
		}
		if n == 0 || n > most {
			t.Errorf("%d bytes: %d bodies", size, n)
		}
	}
}

// TestPublicKeys: the words fit the kind of key, and Tried lists nothing that
// cannot be tried.
func TestPublicKeys(t *testing.T) {
	everyScheme(t, func(s specimen) bool { return s.public }, func(t *testing.T, s specimen) {
		d := s.delivery(t)
		d.Body = append(d.Body, " and more"...)
		e := d.Refused(context.Background(), schemes.SignatureMismatch)
		if text := fmt.Sprint(e); strings.Contains(text, "MAC") || strings.Contains(e.Tried, "secret") || e.Proven {
			t.Errorf("%+v", e)
		}
	})
}

// TestNothingLeaks: an explanation contains no secret, no correct signature and
// no part of the body.
func TestNothingLeaks(t *testing.T) {
	for name, all := range mistakes() {
		for _, d := range all {
			text := fmt.Sprintf("%+v", d.Refused(context.Background(), d.reason()))
			for _, secret := range d.Secrets {
				if len(secret) > 8 && strings.Contains(text, strings.TrimSpace(secret)) {
					t.Errorf("%s: the secret is in %s", name, text)
				}
			}
			for _, key := range append(d.Secrets, tableSecret, string(rawKey), "k") {
				for _, signed := range []string{string(d.Body), "{}", `{"a":1}`, "1769860800." + string(d.Body)} {
					for _, enc := range encodings {
						if strings.Contains(text, enc.write(macOf(key, signed))) {
							t.Errorf("%s: a signature is in %s", name, text)
						}
					}
				}
			}
			if len(d.Body) > 2 && strings.Contains(text, string(d.Body)) {
				t.Errorf("%s: the body is in %s", name, text)
			}
		}
	}
}
