package webhook

import (
	"fmt"
	"strings"
	"testing"
)

// ownDefinition is a scheme that signs a value of every kind.
const ownDefinition = `{
	"source": "Acme, Webhooks",
	"signature": {"header": "X-Acme-Signature", "prefix": "acme="},
	"signed": "{id}.{timestamp}.{header.X-Acme-Topic}\n{url}\n{body}",
	"id": {"header": "X-Acme-Id"},
	"timestamp": {"header": "X-Acme-Time"},
	"event": {"body": "type"}
}`

// The same definition in a Caddyfile.
const ownBlock = `scheme_definition {
	source "Acme, Webhooks"
	signature header X-Acme-Signature {
		prefix acme=
	}
	signed "{id}.{timestamp}.{header.X-Acme-Topic}\n{url}\n{body}"
	id header X-Acme-Id
	timestamp header X-Acme-Time
	event body type
}
`

// TestDefinition: the commands list, sign, send and verify with a user's own
// scheme.
func TestDefinition(t *testing.T) {
	for name, text := range map[string]string{"JSON": ownDefinition, "Caddyfile": ownBlock} {
		t.Run(name, func(t *testing.T) { testDefinition(t, text) })
	}
}

func testDefinition(t *testing.T, text string) {
	const body = `{"type":"paid"}`
	definition := tempFile(t, []byte(text))
	sum := mac([]byte("k"), "evt_1.1769860800.orders / new\nhttps://example.com/hook?a\n"+body)
	headers := fmt.Sprintf("X-Acme-Signature: acme=%x\nX-Acme-Id: evt_1\nX-Acme-Time: 1769860800\nX-Acme-Topic: orders / new\n", sum)
	args := func(name string, more ...string) []string {
		return append([]string{name, "--definition", definition, "--secret", "k", "--url", "https://example.com/hook?a"}, more...)
	}
	signing := []string{"--id", "evt_1", "--header", "x-acme-topic: orders / new"}

	o := run(t, []byte(body), append(args("sign"), signing...)...)
	if o.status != 0 || o.out != headers {
		t.Errorf("status %d: %s\n%swant\n%s", o.status, o.errOut, o.out, headers)
	}

	app := newApplication(t, answer(200))
	o = run(t, []byte(body), append(args("send", "--to", app.URL), signing...)...)
	if o.status != 0 || len(app.arrivals) != 1 {
		t.Fatalf("status %d: %s", o.status, o.errOut)
	}
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if got := app.arrivals[0].header[name]; len(got) != 1 || got[0] != value {
			t.Errorf("%s: %q arrived, not %q", name, got, value)
		}
	}

	for name, want := range map[string]string{"": "custom", "acme": "acme"} {
		more := []string{"--headers", tempFile(t, []byte(headers))}
		if name != "" {
			more = append(more, "--scheme", name)
		}
		o = run(t, []byte(body), args("verify", more...)...)
		if o.status != 0 || o.row("scheme") != want || o.row("id") != "evt_1" || o.row("event") != "paid" {
			t.Errorf("status %d: %s%s", o.status, o.out, o.errOut)
		}
	}
	o = run(t, []byte(body+"\n"), args("verify", "--headers", tempFile(t, []byte(headers)))...)
	if o.status != 1 || o.row("explained by") != "the body has a line end at its end that is not signed" {
		t.Errorf("status %d: %s%s", o.status, o.out, o.errOut)
	}

	o = run(t, nil, "schemes", "--definition", definition, "--scheme", "acme")
	if said := strings.Join(strings.Fields(o.out), " "); said !=
		`SCHEME SIGNATURE HEADER SECRET SIGNED TIME acme X-Acme-Signature text headers signs "{id}.{timestamp}.{header.X-Acme-Topic}\n{url}\n{body}" Acme, Webhooks` {
		t.Errorf("status %d: %s%s", o.status, o.out, o.errOut)
	}
}

// TestDefinitionLacks: errors name the option that is missing.
func TestDefinitionLacks(t *testing.T) {
	definition := tempFile(t, []byte(ownDefinition))
	for want, args := range map[string][]string{
		"custom signs the URL or the method; add --url URL": nil,
		"; add --id I": {"--url", "http://a/"},
		"X-Acme-Topic is absent or empty; add --header 'Name: value'": {"--url", "http://a/", "--id", "1"},
		"--header X-Acme-Time is not one":                             {"--url", "http://a/", "--id", "1", "--header", "X-Acme-Topic: t", "--header", "X-Acme-Time: 1"},
		"--scheme names a scheme that is there already":               {"--scheme", "github"},
		"this is not the name of a scheme":                            {"--scheme", "Acme"},
	} {
		o := run(t, nil, append([]string{"sign", "--definition", definition, "--secret", "k"}, args...)...)
		if o.status != 2 || !strings.Contains(o.errOut, want) {
			t.Errorf("%v: status %d: %s%s, want %q", args, o.status, o.out, o.errOut, want)
		}
	}
	for text, want := range map[string]string{
		`{"signatur":{}}`: "FILE: ",
		`{}`:              "FILE: signature: header",
		"scheme_definition {\n\tkey " + canary + "\n}": "write one of text, base64, hex, whsec_, at FILE:2",
		canary: "FILE: this is no definition; write a block scheme_definition { … }",
	} {
		file := tempFile(t, []byte(text))
		want = strings.Replace(want, "FILE", file, 1)
		o := run(t, nil, "schemes", "--definition", file)
		if o.status != 2 || !strings.Contains(o.errOut, want) || strings.Contains(o.errOut, canary) {
			t.Errorf("%s: status %d: %s%s, want %q", text, o.status, o.out, o.errOut, want)
		}
	}
}
