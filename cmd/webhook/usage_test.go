package webhook

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// canary stands for a secret. It is base64, so that McEasy accepts it too.
const canary = "Y2FuYXJ5Y2FuYXJ5"

// TestWrongUsage covers every message. No output may contain the canary.
func TestWrongUsage(t *testing.T) {
	t.Setenv("HOOKLATCH_TEST_EMPTY", "")
	t.Setenv("HOOKLATCH_TEST_CANARY", canary)
	missing := filepath.Join(t.TempDir(), canary)
	empty := tempFile(t, []byte("\r\n"))
	headers := tempFile(t, []byte("X-CraneOps-Signature: 00\n"))
	broken := tempFile(t, []byte("POST / HTTP/1.1\nContent-Type: text/plain\nbroken line\n"))
	object := tempFile(t, []byte("{\n \"A\": {\"b\": 1}\n}\n"))
	control := tempFile(t, []byte("A: b\x00\n"))
	large := tempFile(t, []byte(strings.Repeat("A: b\n", maxHeaderBytes/4)))

	const (
		sign   = "sign --scheme cryptr --secret " + canary + " "
		send   = "send --scheme cryptr --secret " + canary + " --to http://127.0.0.1:9 "
		sendTo = "send --scheme cryptr --secret " + canary + " --to "
	)
	verify := "verify --scheme cryptr --secret " + canary + " --headers " + headers + " "

	for _, test := range []struct{ args, want string }{
		{"--bogus", "unknown option --bogus"},
		{"schemes " + canary + " more", "more than one word to look for; write one, such as a part of a name"},
		{"schemes " + canary, "no scheme has this word in its name, header or documentation; webhook schemes lists them all, and --definition takes one of your own"},

		{"sign", "missing option; add --scheme S --secret K"},
		{"sign --secret " + canary, "missing option; add --scheme S"},
		{"send --scheme cryptr", "missing option; add --secret K --to URL"},
		{"verify", "missing option; add --scheme S --secret K --headers FILE"},
		{"verify --scheme cryptr --headers " + headers, "missing option; add --secret K"},

		{"sign --scheme " + canary + " --secret k", "--scheme is not known; write one of " + strings.Join(schemes.Names(), ", ") + ", or --definition FILE with one of your own"},
		{"verify --scheme " + canary + " --secret k --headers x", "--scheme is not known; write one of " + strings.Join(schemes.Names(), ", ") + ", or --definition FILE with one of your own"},
		{sign + "--scheme cryptr", "--scheme is given twice; write it once"},
		{sign + "--secret other", "--secret is given twice; write it once"},
		{sign + "--event=", "--event is empty; write --event E"},
		{"sign --scheme cryptr --secret {env.KEY}", "secret 1: placeholders are Caddy's; write env:NAME or file:PATH"},
		{"sign --scheme cryptr --secret=", "--secret is empty; write --secret K"},
		{sign + "--url http://example.com", "cryptr signs neither the URL nor the method; leave --url and --method out"},
		{sign + "--at", "--at needs a value behind it"},
		{"sign --scheme cryptr --secret" + canary, "unknown option that begins like --secret; write --secret K, with a blank in between"},
		{"sign -secret=" + canary, "options begin with two dashes, such as --scheme; write FILE with ./ in front if its name begins with a dash"},
		{"sign --=" + canary, "an option cannot be read; write --name value"},
		{"sign --help=" + canary, "an option cannot be read; write --name value"},
		{"sign --scheme cryptr --secret k " + canary + " more", "too many arguments; write one FILE, or none for standard input, and quote values that have blanks in them"},
		{sign + missing, "the body cannot be read: no such file or directory; write FILE, or - for standard input"},
		{sign + filepath.Dir(missing), "the body cannot be read: is a directory; write FILE, or - for standard input"},
		{sign + "--at " + canary, "--at is not a time; write RFC 3339 such as 2026-01-31T12:00:00Z, or Unix seconds"},
		{sign + "--at 1769860800000", "--at is not a time; write RFC 3339 such as 2026-01-31T12:00:00Z, or Unix seconds"},
		{sign + "--at -1", "--at is not a time; write RFC 3339 such as 2026-01-31T12:00:00Z, or Unix seconds"},
		{sign + "--at 1969-12-31T23:59:59Z", "--at is not a time; write RFC 3339 such as 2026-01-31T12:00:00Z, or Unix seconds"},
		{sign + "--at 2300-01-01T00:00:00Z", "--at is not a time; write RFC 3339 such as 2026-01-31T12:00:00Z, or Unix seconds"},
		{sign + "--event e", "this scheme has the event type in the body; leave the event out"},
		{sign + "--id i", "this scheme has no occurrence ID in its headers; leave the ID out"},
		{"sign --scheme craneops --secret k --event a\x01b", "--event and --id stand in headers; write them without control characters"},
		{"sign --scheme mceasy --secret k --event 4", "secret 1: is not base64, in which McEasy's secrets are written; write the whole secret"},
		{"sign --scheme mceasy --secret " + canary, "mceasy signs an event id of 1 to 10 digits; give it as the event, or as event_id in the body; add --event E"},
		{"sign --scheme standard --secret whsec_" + canary + canary + " --id 1 --event e", "this scheme has the event type in the body; leave the event out"},
		{"sign --scheme standard --secret whsec_" + canary + canary, "this scheme signs an id of 1 to 256 visible characters of ASCII other than .; give one as the ID; add --id I"},
		{sign + "--header X-A:" + canary, "--header X-A is not one that this scheme signs and that --at, --id or --event do not make; leave it out"},
		{sign + "--header " + canary, "--header is not a header; write Name: value"},

		{"schemes --scheme " + canary, "--scheme is not known; write one of " + strings.Join(schemes.Names(), ", ") + ", or --definition FILE with one of your own"},
		{sign + "--definition " + headers, "--scheme names a scheme that is there already, and --definition another one; leave --scheme or --definition out"},
		{"sign --secret k --definition " + missing, "--definition cannot be read: no such file or directory; write the path of a file"},
		{"sign --definition " + headers, "missing option; add --secret K"},

		{"sign --scheme cryptr --secret env:HOOKLATCH_TEST_EMPTY", "secret 1: the variable is not set, or is empty; write env:NAME with its name, without a $"},
		{"sign --scheme cryptr --secret env:" + canary, "secret 1: the variable is not set, or is empty; write env:NAME with its name, without a $"},
		{"sign --scheme cryptr --secret file:" + missing, "secret 1: the file cannot be read: no such file or directory; write file:PATH with its path"},
		{"sign --scheme cryptr --secret file:" + empty, "secret 1: the file is empty; write the secret into it"},
		{"verify --scheme cryptr --secret " + canary + " --secret= --headers " + headers, "secret 2: is empty; write --secret K, env:NAME or file:PATH"},
		{
			"verify --scheme mceasy --secret " + canary + " --secret env:HOOKLATCH_TEST_CANARY --secret no-base64 --headers " + headers,
			"secret 3: is not base64, in which McEasy's secrets are written; write the whole secret",
		},

		{sendTo + canary, "--to is not a URL; write http:// or https://, a host and a path"},
		{sendTo + "http://" + canary + "%zz", "--to is not a URL; write http:// or https://, a host and a path"},
		{sendTo + "ftp://" + canary, "--to is not a URL; write http:// or https://, a host and a path"},
		{sendTo + "http:///" + canary, "--to is not a URL; write http:// or https://, a host and a path"},
		{send + "--repeat 0", "--repeat is not a number of deliveries; write 1 to 1000"},
		{send + "--repeat 1001", "--repeat is not a number of deliveries; write 1 to 1000"},
		{send + "--repeat " + canary, "--repeat is not a number of deliveries; write 1 to 1000"},
		{send + "--header " + canary, "--header is not a header; write Name: value"},
		{send + "--header :" + canary, "--header is not a header; write Name: value"},
		{send + "--header A:" + canary + "\x7f", "--header has a control character in it; no server takes that"},
		{send + "--header content-length:1", "--header Content-Length cannot be set; it follows from the body"},
		{send + "--header Transfer-Encoding:chunked", "--header Transfer-Encoding cannot be set; it follows from the body"},
		{send + "--header Trailer:A", "--header Trailer cannot be set; it follows from the body"},
		{send + missing, "the body cannot be read: no such file or directory; write FILE, or - for standard input"},

		{verify + "--headers " + headers, "--headers is given twice; write it once"},
		{verify + "--tolerance " + canary, "--tolerance is not a duration above zero; write one such as 5m or 1d, or off"},
		{verify + "--tolerance 0s", "--tolerance is not a duration above zero; write one such as 5m or 1d, or off"},
		{verify + "--tolerance -5m", "--tolerance is not a duration above zero; write one such as 5m or 1d, or off"},
		{"verify --scheme craneops --secret k --tolerance 5m --headers " + headers, "--tolerance: craneops has no signed time to judge; leave --tolerance out"},
		{"verify --scheme craneops --secret k --tolerance off --headers " + headers, "--tolerance: craneops has no signed time to judge; leave --tolerance out"},
		{verify + "--at now", "--at is not a time; write RFC 3339 such as 2026-01-31T12:00:00Z, or Unix seconds"},
		{verify + "--event e", "unknown option --event"},
		{verify + missing, "the body cannot be read: no such file or directory; write FILE, or - for standard input"},
		{"verify --scheme cryptr --secret k --headers " + missing, "--headers cannot be read: no such file or directory; write the path of a file"},
		{"verify --scheme cryptr --secret k --headers " + broken, `line 3 of the headers is not a header; write Name: value: "broken line"`},
		{"verify --scheme cryptr --secret k --headers " + object, `line 2 of the headers has no value in quotes; write "Name": "value": " \"A\": {\"b\": 1}"`},
		{"verify --scheme cryptr --secret k --headers " + control, `line 1 of the headers has a control character in it; no server takes that: "b\x00"`},
		{"verify --scheme cryptr --secret k --headers " + large, "--headers cannot be read: it is larger than 1 MiB; write the path of a file"},
	} {
		t.Run(test.args, func(t *testing.T) {
			o := run(t, []byte("{}"), strings.Fields(test.args)...)
			name, _, _ := strings.Cut(test.args, " ")
			path := "hooklatch webhook"
			if name == "schemes" || name == "sign" || name == "send" || name == "verify" {
				path += " " + name
			}
			if want := "Error: " + test.want + "\nRun '" + path + " --help' for usage.\n"; o.status != 2 || o.out != "" || o.errOut != want {
				t.Errorf("status %d, %q, stderr\n%swant\n%s", o.status, o.out, o.errOut, want)
			}
			if strings.Contains(o.errOut+o.out, canary) {
				t.Errorf("the secret is in the output:\n%s%s", o.out, o.errOut)
			}
		})
	}
}

// TestSecretsStaySecret: the output of successful commands contains no secret
// either.
func TestSecretsStaySecret(t *testing.T) {
	t.Setenv("HOOKLATCH_TEST_CANARY", canary)
	headers := tempFile(t, []byte("X-CraneOps-Signature: "+strings.Repeat("0", 64)+
		"\ncryptr-signature: t=1,v1="+strings.Repeat("0", 64)+
		"\nX-McEasyWebhook-Signature: v1.0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nX-McEasyWebhook-Timestamp: 1\nX-McEasyWebhook-Event: 4\n"))
	for _, secret := range []string{canary, "env:HOOKLATCH_TEST_CANARY", "file:" + tempFile(t, []byte(canary))} {
		for _, scheme := range []string{"craneops", "cryptr", "easytools", "mceasy"} {
			for _, o := range []outcome{
				run(t, []byte(`{"event_id":4}`), "sign", "--scheme", scheme, "--secret", secret),
				run(t, []byte("b"), "verify", "--scheme", scheme, "--secret", secret, "--headers", headers),
				run(t, nil, "sign", "--scheme", scheme, "--secret", secret, "--help"),
			} {
				if o.status == 2 || o.out == "" {
					t.Errorf("status %d: %s%s", o.status, o.out, o.errOut)
				}
				if strings.Contains(o.out+o.errOut, canary) || strings.Contains(o.out+o.errOut, "canarycanary") {
					t.Errorf("the secret is in the output:\n%s%s", o.out, o.errOut)
				}
			}
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"sign", "--help"}, {"verify", "--help"}, {"send", "-h"}} {
		o := run(t, nil, args...)
		if o.status != 0 || !strings.Contains(o.out, "Usage:\n  hooklatch webhook") || o.errOut != "" {
			t.Errorf("%v: status %d\n%s%s", args, o.status, o.out, o.errOut)
		}
	}
}
