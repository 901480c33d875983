package webhook

import (
	"encoding/json"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	// The modules that the proxy's configuration uses.
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/hooklatch/hooklatch/caddyfile"

	_ "github.com/hooklatch/hooklatch/module/inbox/file"
)

// TestProxyUsage covers every message about the options of proxy. None contains
// a secret.
func TestProxyUsage(t *testing.T) {
	t.Setenv("HOOKLATCH_TEST_EMPTY", "")
	const (
		to     = "proxy --to 3000 "
		stripe = to + "--scheme stripe --secret " + canary + " "
	)
	for _, test := range []struct{ args, want string }{
		{"proxy", "missing option; add --to ADDR"},
		{"proxy --to 3000", "missing option; add --scheme S --secret K"},
		{to + "--scheme stripe", "--scheme stripe has no secret; write --secret K after it"},
		{to + "--secret " + canary, "--secret has no --scheme before it; write --scheme S --secret K"},
		{to + "--scheme stripe --secret=", "--secret is empty; write --secret K"},
		{to + "--scheme stripe --secret env:HOOKLATCH_TEST_EMPTY", "stripe: secret 1: the variable is not set, or is empty; write env:NAME with its name, without a $"},
		{to + "--scheme stripe --secret k --secret {env.A}", "stripe: secret 2: placeholders are Caddy's; write env:NAME or file:PATH"},
		{to + "--scheme stripe --secret env:A}" + canary, "stripe: secret 1: this is not the name of a variable; write env:NAME, of letters, digits and _"},
		{to + "--scheme mceasy --secret ?", "mceasy: secret 1: is not base64, in which McEasy's secrets are written; write the whole secret"},
		{stripe + "--scheme stripe --secret k", "--scheme stripe is given twice; write it once, and all of its secrets after it"},
		{stripe + "--print-caddyfile", "stripe: secret 1: a Caddyfile should not hold a secret; write env:NAME or file:PATH"},
		{stripe + "--from " + canary, errFrom.Error()},
		{stripe + "--from example.com:80", errFrom.Error()},
		{stripe + "--from :0", errFrom.Error()},
		{stripe + "--from :65536", errFrom.Error()},
		{stripe + "--from 443", "--from: Caddy keeps 443 for HTTPS; write another port, or a public name into the Caddyfile that --print-caddyfile prints"},
		{"proxy --to http://localhost:3000/" + canary + " --scheme stripe --secret k", "--to has a path; leave it out: the application gets each delivery at the path that it came to"},
		{stripe + "--from :3000", "--from and --to are the same address; write the application's own port behind --to"},
		{stripe + "--from 0.0.0.0:3000", "--from and --to are the same address; write the application's own port behind --to"},
		{stripe + "--path webhook", "--path: this is not a path; write one such as /webhook, of letters, digits, - _ . ~ and /, with /* at its end for everything below it"},
		{stripe + "--pass-rest", "--pass-rest needs --path; write --path /webhook with the path of the deliveries, or everything would be passed on unverified"},
		{stripe + "--public-url https://a.example", "--public-url: none of the schemes signs the URL, so nothing depends on it; leave it out"},
		{to + "--scheme square --secret k --public-url a.example", "--public-url: this is not the beginning of a URL; write it as the provider has it, such as https://hooks.example.com, with the port if there is one, and a path only if a proxy takes it away; no user, query, fragment or placeholder"},
		{stripe + "--admin {env.A}", errAdmin.Error()},
		{stripe + "--admin off", errAdmin.Error()},
		{stripe + "--inbox a{b}", "--inbox cannot stand in a Caddyfile; write a path without braces, quotes and line breaks"},
		{stripe + "--inbox a --observe", "--inbox keeps only what is verified, and with --observe everything passes; leave one of them out"},
		{stripe + "--page 9000", "--page is not a host and a port; write 127.0.0.1:9000"},
		{stripe + "--page 0.0.0.0:9000", "--page is not on loopback, and the page is for this machine only; write 127.0.0.1:9000, and use ssh -L to see it from another machine"},
		{stripe + "more", "words that no option takes; write --name value"},
		{to + "--scheme github --secret k --scheme meta --secret k", "github and meta both sign with X-Hub-Signature-256, so their deliveries cannot be told apart; leave one out, or run a proxy for each"},
		{to + "--scheme standard --secret whsec_" + canary + canary + " --scheme gitlab --secret whsec_" + canary + canary, "standard and gitlab both sign with Webhook-Signature, so their deliveries cannot be told apart; leave one out, or run a proxy for each"},
	} {
		t.Run(test.args, func(t *testing.T) {
			o := run(t, nil, strings.Fields(test.args)...)
			if want := "Error: " + test.want + "\nRun 'hooklatch webhook proxy --help' for usage.\n"; o.status != 2 || o.out != "" || o.errOut != want {
				t.Errorf("status %d, %q, stderr\n%swant\n%s", o.status, o.out, o.errOut, want)
			}
			if strings.Contains(o.errOut, canary) {
				t.Errorf("the secret is in the output: %s", o.errOut)
			}
		})
	}
}

func TestProxyAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"": "127.0.0.1:8080", ":8080": "127.0.0.1:8080", "9": "127.0.0.1:9", "localhost:80": "127.0.0.1:80",
		"0.0.0.0:8080": "0.0.0.0:8080", "10.0.0.1:1": "10.0.0.1:1", "[::1]:2": "[::1]:2", "[::]:2": "[::]:2",
	} {
		if got, err := parseFrom(text); err != nil || got != want {
			t.Errorf("--from %q: %q %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"3000": "http://127.0.0.1:3000", ":3000": "http://127.0.0.1:3000", "app:3000": "http://app:3000", "10.0.0.1:1": "http://10.0.0.1:1",
		"http://app": "http://app", "https://app.internal/": "https://app.internal", "http://[::1]:3": "http://[::1]:3", "localhost:1": "http://localhost:1",
	} {
		if got, err := parseTo(text); err != nil || got != want {
			t.Errorf("--to %q: %q %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "", "2020": "localhost:2020", ":2020": "localhost:2020", "0.0.0.0:1": "0.0.0.0:1", "[::1]:2": "[::1]:2", "unix//run/a.sock": "unix//run/a.sock",
	} {
		if got, err := parseAdmin(text); err != nil || got != want {
			t.Errorf("--admin %q: %q %v", text, got, err)
		}
	}
	for _, text := range []string{"off", "localhost", "localhost:0", "a b:1", "{env.A}:1", "http://localhost:2019"} {
		if got, err := parseAdmin(text); err == nil {
			t.Errorf("--admin %q: %q", text, got)
		}
	}
	for _, text := range []string{"app", "0", "70000", "http://", "http://a/b", "http://a?b", "http://u:p@a", "ftp://a", "http://{env.A}", "http://a b", "http://a:0", "unix//x"} {
		if got, err := parseTo(text); err == nil {
			t.Errorf("--to %q: %q", text, got)
		}
	}
}

// TestProxyCaddyfile: with any options, the printed file is formatted, can be
// adapted and contains the secrets as placeholders.
func TestProxyCaddyfile(t *testing.T) {
	const two = "--scheme stripe --secret env:A --secret file:/run/secrets/b --scheme shopify --secret env:C --scheme square --secret env:D"
	for _, test := range []struct {
		args       string
		have, lack []string
	}{
		{
			"--scheme stripe --secret env:A",
			[]string{"admin off", "http://:8080 {", "bind 127.0.0.1\n\tlog ", "verify_webhook stripe {env.A}\n", "reverse_proxy http://127.0.0.1:3000"},
			[]string{"webhook_path", "unverified", "observe", "404", "ERROR"},
		},
		{two, []string{"verify_webhook stripe {env.A} {file./run/secrets/b}", "not header Stripe-Signature *", "Shopify-Hmac"}, []string{"public_url"}},
		{two + " --path /webhook", []string{"webhook_path /webhook", "unverified", "respond 404"}, nil},
		{two + " --path /hooks/* --pass-rest --observe", []string{"webhook_path /hooks/*", "unverified\n\t\treverse_proxy", "observe"}, []string{"404"}},
		{two + " --public-url https://a.example --admin localhost:2020", []string{"public_url https://a.example", "admin localhost:2020"}, []string{"admin off"}},
		{
			two + " --inbox /data/in\x00box --capture",
			[]string{"inbox file \"/data/in box\"\n\t\t\tcapture {\n\t\t\t\tof all\n\t\t\t}\n", "admin off"},
			[]string{"inspect"},
		},
		{
			"--scheme stripe --secret env:A --page 127.0.0.1:0",
			[]string{"# The page: hooklatch webhook inspect --address localhost:2019\n\tadmin localhost:2019\n"},
			[]string{"capture", "inbox"},
		},
		{
			"--to https://app.example --scheme stripe --secret env:A --path /hooks --pass-rest",
			[]string{
				"\t\treverse_proxy https://app.example {\n\t\t\ttransport http {\n\t\t\t\tnetwork_proxy none\n\t\t\t}\n\t\t}\n",
				"unverified\n\t\treverse_proxy https://app.example {\n\t\t\ttransport http {\n\t\t\t\tnetwork_proxy none\n",
			},
			nil,
		},
		{"--from 0.0.0.0:80 --scheme stripe --secret file:a\x00b", []string{"http://:80 {\n\tlog ", `"{file.a b}"`}, []string{"bind"}},
	} {
		t.Run(test.args, func(t *testing.T) {
			args := strings.Fields("proxy --print-caddyfile " + test.args)
			if !slices.Contains(args, "--to") {
				args = append(args, "--to", "3000")
			}
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "\x00", " ")
			}
			o := run(t, nil, args...)
			if o.status != 0 || o.errOut != "" {
				t.Fatalf("status %d: %s", o.status, o.errOut)
			}
			if formatted := string(caddyfile.Format([]byte(o.out))); formatted != o.out {
				t.Errorf("fmt would change it:\n%s\nto\n%s", o.out, formatted)
			}
			if _, err := adapt(o.out); err != nil {
				t.Errorf("%v:\n%s", err, o.out)
			}
			for _, text := range test.have {
				if !strings.Contains(o.out, text) {
					t.Errorf("no %q in\n%s", text, o.out)
				}
			}
			for _, text := range test.lack {
				if strings.Contains(o.out, text) {
					t.Errorf("%q in\n%s", text, o.out)
				}
			}
		})
	}
}

// TestProxyLiteralSecret: a secret from the command line is put into an
// environment variable of the process, and not into its configuration.
func TestProxyLiteralSecret(t *testing.T) {
	t.Setenv("HOOKLATCH_PROXY_SECRET_1", "")
	s := new(schemeSecrets)
	for _, err := range []error{schemeFlag{s}.Set("stripe"), secretFlag{s}.Set(canary)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	verified, err := s.resolve(false)
	if err != nil {
		t.Fatal(err)
	}
	text := proxyConfig{from: "127.0.0.1:1", to: "http://127.0.0.1:2", verified: verified}.caddyfile()
	if !strings.Contains(text, "level ERROR") || strings.Contains(text, "\tlog #") {
		t.Errorf("it logs what is a line already:\n%s", text)
	}
	if strings.Contains(text, canary) || !strings.Contains(text, "{env.HOOKLATCH_PROXY_SECRET_1}") || os.Getenv("HOOKLATCH_PROXY_SECRET_1") != canary {
		t.Error(text)
	}
}

// TestPortTaken: a port in use is an error, because Caddy would share it with
// the other process.
func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	o := run(t, nil, "proxy", "--from", port, "--to", "1", "--scheme", "stripe", "--secret", "k")
	if o.status != 1 || o.out != "" || !strings.Contains(o.errOut, "--from: cannot listen on port "+port) {
		t.Errorf("%+v", o)
	}
	if got, err := portOr(port); err != nil || got == port {
		t.Errorf("the demo takes port %s: %v", got, err)
	}
}

// TestDemoCaddyfile: the demo can still adapt the quickstart.
func TestDemoCaddyfile(t *testing.T) {
	text := demoCaddyfile("18080", "19000", "")
	config, err := adapt(text)
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	var parsed struct {
		Admin struct {
			Disabled bool
			Config   struct{ Persist *bool }
		}
		Logging struct {
			Logs map[string]struct{ Level string }
		}
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Listen []string
					Logs   any
				}
			}
		}
	}
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	listen := map[string]bool{}
	for _, server := range parsed.Apps.HTTP.Servers {
		listen[strings.Join(server.Listen, " ")] = true
		if server.Logs != nil {
			t.Error("it has an access log")
		}
	}
	if n := strings.Count(text, "\t\t\tcapture {\n\t\t\t\tof all\n\t\t\t}\n"); n != 4 {
		t.Errorf("%d of 4 providers are captured:\n%s", n, text)
	}
	if len(listen) != 2 || !listen["127.0.0.1:18080"] || !listen["127.0.0.1:19000"] {
		t.Errorf("it listens on %v", listen)
	}
	if !parsed.Admin.Disabled || parsed.Admin.Config.Persist == nil || *parsed.Admin.Config.Persist || parsed.Logging.Logs["default"].Level != "ERROR" {
		t.Errorf("%+v", parsed)
	}
	if strings.Contains(text, "8080") != strings.Contains(text, "18080") || strings.Count(text, "127.0.0.1:19000") != 4 {
		t.Error(text)
	}
}

func TestShellWord(t *testing.T) {
	for text, want := range map[string]string{"/a/hooklatch": "/a/hooklatch", "/a b": "'/a b'", "/it's": `'/it'\''s'`, "": "''", "$a": "'$a'"} {
		if got := shellWord(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}

// TestFirstSteps: without arguments, the command says how to begin, and lists
// every sub-command under a task.
func TestFirstSteps(t *testing.T) {
	o := run(t, nil)
	for _, want := range []string{"hooklatch webhook demo\n", "hooklatch webhook proxy --to 3000", "hooklatch webhook verify"} {
		if o.status != 0 || !strings.Contains(o.out, want) {
			t.Errorf("status %d, no %q in\n%s", o.status, want, o.out)
		}
	}
	if o := run(t, nil, "--help"); strings.Contains(o.out, "Additional Commands") || !strings.Contains(o.out, "Begin:") {
		t.Error(o.out)
	}
}
