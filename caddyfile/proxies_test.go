package caddyfile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/forwardauth"
	_ "github.com/caddyserver/caddy/v2/modules/logging"

	"github.com/hooklatch/hooklatch/module"
)

// The parts of the sites below.
const (
	verify  = "verify_webhook craneops s3cr3t\n"
	observe = "verify_webhook craneops s3cr3t {\n observe\n}\n"
	retry   = "lb_retries 2\n lb_retry_match {\n method POST\n }\n"

	// mixer makes Caddy mix the bodies of all proxies that buffer.
	mixer = "route /upload {\n reverse_proxy 127.0.0.1:4000 {\n" + retry + " request_buffers 64KiB\n }\n}\n"
)

// proxy returns a reverse_proxy with options.
func proxy(options string) string { return "reverse_proxy 127.0.0.1:3000 {\n " + options + "\n}\n" }

// on returns a route for one path.
func on(path, handlers string) string { return "route " + path + " {\n" + handlers + "}\n" }

// load starts the app of a site and returns its warnings about proxies, or the
// error that rejects the configuration.
func load(t *testing.T, site string) (warnings []string, err error) {
	t.Helper()
	text := caddyfileOf(site)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return loadJSON(t, adapted)
}

func caddyfileOf(site string) string {
	return "{\n admin off\n order verify_webhook before basic_auth\n}\nhttp://:8080 {\n" + site + "}\n"
}

func loadJSON(t *testing.T, adapted []byte) (warnings []string, err error) {
	t.Helper()
	var config caddy.Config
	if err := caddy.StrictUnmarshalJSON(adapted, &config); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	writer, err := json.Marshal(map[string]string{"output": "file", "filename": log})
	if err != nil {
		t.Fatal(err)
	}
	config.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		"default": {BaseLog: caddy.BaseLog{WriterRaw: writer, Level: "WARN"}},
	}}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := ctx.App("verify_webhook")
	if err != nil {
		t.Fatal(err)
	}
	app := loaded.(*module.App)
	t.Cleanup(func() {
		if err := app.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	err = app.Start()
	logged, fault := os.ReadFile(log)
	if fault != nil {
		t.Fatal(fault)
	}
	for line := range strings.Lines(string(logged)) {
		var entry struct{ Msg, Proxy string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if strings.Contains(entry.Msg, "reverse_proxy") {
			warnings = append(warnings, entry.Msg+" "+entry.Proxy)
		}
	}
	return warnings, err
}

// TestProxiesThatCannotSendAgain checks that the configuration does not load if
// a proxy after verify_webhook would send only a part of the body on another
// attempt.
func TestProxiesThatCannotSendAgain(t *testing.T) {
	const again, fastcgi = "tries POST again", "transport fastcgi\n"
	for name, test := range map[string]struct{ site, refused string }{
		"fewer bytes than max_body": {
			on("/hook", verify+proxy(retry+"request_buffers 64KiB")),
			"the reverse_proxy to 127.0.0.1:3000 (server srv0, route 0 /hook, route 0) comes after verify_webhook and tries POST again, but buffers only 64 KiB of the body, so another attempt would not send all of it; take lb_retry_match out (lb_try_duration alone waits for an upstream that refuses connections), or write request_buffers above max_body, which is 5.0 MiB, or take request_buffers out (verify_webhook holds the body)",
		},
		"as many bytes as max_body":       {on("/hook", verify+proxy(retry+"request_buffers 5MiB")), again},
		"one byte more than max_body":     {on("/hook", verify+proxy(retry+"request_buffers 5242881")), ""},
		"unlimited":                       {on("/hook", verify+proxy(retry+"request_buffers unlimited")), ""},
		"no request_buffers":              {on("/hook", verify+proxy(retry)), ""},
		"no retries":                      {on("/hook", verify+proxy("request_buffers 64KiB")), ""},
		"retries of refused connections":  {on("/hook", verify+proxy("lb_try_duration 10s\n request_buffers 64KiB")), ""},
		"retries of other methods":        {on("/hook", verify+proxy("lb_retries 2\n lb_retry_match {\n method GET PUT\n }\n request_buffers 64KiB")), ""},
		"retries of whatever path":        {on("/hook", verify+proxy("lb_retries 2\n lb_retry_match {\n path /hook\n }\n request_buffers 64KiB")), again},
		"retries of answers":              {on("/hook", verify+proxy("lb_try_duration 2s\n lb_retry_match {\n expression `{rp.status_code} >= 500`\n }\n request_buffers 64KiB")), again},
		"GET among the methods":           {on("/hook", "verify_webhook craneops s3cr3t {\n methods POST GET\n}\n"+proxy("lb_retries 2\n request_buffers 64KiB")), "tries POST or GET again"},
		"FastCGI":                         {on("/hook", verify+proxy(retry+fastcgi)), again + ", but buffers only 4.0 KiB"},
		"php_fastcgi":                     {on("/hook", verify+"php_fastcgi 127.0.0.1:9000 {\n"+retry+"}\n"), again},
		"FastCGI without retries":         {on("/hook", verify+"php_fastcgi 127.0.0.1:9000\n"), ""},
		"FastCGI that buffers all":        {on("/hook", verify+proxy(retry+fastcgi+"request_buffers 6MiB")), ""},
		"FastCGI above a small max_body":  {on("/hook", "verify_webhook craneops s3cr3t {\n max_body 2KiB\n}\n"+proxy(retry+fastcgi)), ""},
		"observe lets any length through": {on("/hook", observe+proxy(retry+"request_buffers 64MiB")), again},

		"before verify_webhook":     {on("/hook", proxy(retry+fastcgi)+verify), ""},
		"after a proxy that ends":   {on("/hook", verify+proxy("")+proxy(retry+fastcgi)), ""},
		"after respond":             {on("/hook", verify+"respond 200\n"+proxy(retry+fastcgi)), ""},
		"after forward_auth":        {on("/hook", verify+"forward_auth 127.0.0.1:9 {\n uri /\n}\n"+proxy(retry+fastcgi)), again},
		"in handle_response":        {on("/hook", verify+proxy("@g status 2xx\n handle_response @g {\n"+proxy(retry+fastcgi)+"}")), again},
		"in intercept":              {on("/hook", verify+"intercept {\n @bad status 5xx\n handle_response @bad {\n"+proxy(retry+fastcgi)+"}\n}\n"+proxy("")), again},
		"another handle":            {"handle /hook {\n" + verify + proxy("") + "}\nhandle {\n" + proxy(retry+fastcgi) + "}\n", ""},
		"another handle, no answer": {"handle /hook {\n" + verify + "}\nhandle {\n" + proxy(retry+fastcgi) + "}\n", ""},
		"in a handle":               {"handle /hook {\n" + verify + "handle {\n" + proxy(retry+fastcgi) + "}\n}\n", again},
		"another path":              {"verify_webhook /hook craneops s3cr3t\nreverse_proxy /php* 127.0.0.1:3000 {\n" + retry + fastcgi + "}\n", ""},
		"the same path":             {"verify_webhook /hook craneops s3cr3t\nreverse_proxy /hook 127.0.0.1:3000\nreverse_proxy 127.0.0.1:3001 {\n" + retry + fastcgi + "}\n", ""},
		"a path within":             {"verify_webhook /hook/* craneops s3cr3t\nreverse_proxy /hook/a* 127.0.0.1:3000 {\n" + retry + fastcgi + "}\n", again},
		"a path that may meet":      {"verify_webhook /hook/* craneops s3cr3t\nreverse_proxy *.php 127.0.0.1:3000 {\n" + retry + fastcgi + "}\n", again},
		"another path, rewritten":   {"route {\nverify_webhook /hook craneops s3cr3t\nrewrite * /php\nreverse_proxy /php 127.0.0.1:3000 {\n" + retry + fastcgi + "}\n}\n", again},
		"in handle_errors":          {on("/hook", verify+proxy("")) + "handle_errors {\n" + proxy(retry+fastcgi) + "}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, test.site)
			switch {
			case test.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)):
				t.Errorf("%v\ndoes not say %q", err, test.refused)
			}
		})
	}
}

// TestNamedRoutes checks that an invoked route counts where it is invoked, and
// that a route that invokes itself does not loop.
func TestNamedRoutes(t *testing.T) {
	named := "&(send) {\n" + proxy(retry+"transport fastcgi") + "}\n"
	adapter := caddyconfig.GetAdapter("caddyfile")
	for name, test := range map[string]struct {
		site    string
		refused bool
	}{
		"after":  {on("/hook", verify+"invoke send\n"), true},
		"before": {on("/other", "invoke send\n") + on("/hook", verify+proxy("")), false},
	} {
		t.Run(name, func(t *testing.T) {
			adapted, _, err := adapter.Adapt([]byte("{\n admin off\n}\n"+named+"http://:8080 {\n"+test.site+"}\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := loadJSON(t, adapted); (err != nil) != test.refused {
				t.Errorf("refused: %v", err)
			}
		})
	}
}

// TestErrorRoutesOfSubroutes checks that a proxy there gets a delivery too,
// after the first proxy has failed.
func TestErrorRoutesOfSubroutes(t *testing.T) {
	_, err := loadJSON(t, []byte(`{"admin": {"disabled": true}, "apps": {"http": {"servers": {"s": {"routes": [{"handle": [
		{"handler": "verify_webhook", "scheme": "craneops", "secrets": ["s3cr3t"]},
		{"handler": "subroute",
			"routes": [{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:3000"}]}]}],
			"errors": {"routes": [{"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": "127.0.0.1:3001"}],
				"transport": {"protocol": "fastcgi"},
				"load_balancing": {"retries": 2, "retry_match": [{"method": ["POST"]}]}}]}]}}
	]}]}}}}}`))
	const want = "the reverse_proxy to 127.0.0.1:3001 (server s, route 0, errors, route 0) comes after verify_webhook"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\ndoes not say %q", err, want)
	}
}

// TestProxiesThatMixBodies checks that no proxy may buffer deliveries if
// another one can corrupt the buffers, and that there is a warning otherwise.
func TestProxiesThatMixBodies(t *testing.T) {
	const refused, warned, silent = "refused", "warned", ""
	upload := func(options string) string {
		return "route /upload {\n reverse_proxy 127.0.0.1:4000 {\n" + options + "\n }\n}\n"
	}
	php := on("/hook", verify+"php_fastcgi 127.0.0.1:9000\n")
	for name, test := range map[string]struct{ site, want string }{
		"FastCGI after verify_webhook":         {mixer + php, refused},
		"request_buffers after it":             {mixer + on("/hook", verify+proxy("request_buffers 8MiB")), refused},
		"nothing buffered":                     {mixer + on("/hook", verify+proxy("")), warned},
		"FastCGI elsewhere":                    {mixer + "php_fastcgi /php/* 127.0.0.1:9000\n" + on("/hook", verify+proxy("")), warned},
		"GET, which needs no lb_retry_match":   {upload("lb_retries 1\nrequest_buffers 64KiB") + php, refused},
		"lb_try_duration":                      {upload("lb_try_duration 1s\nrequest_buffers 64KiB") + php, refused},
		"unlimited, which malformed ones pass": {upload(retry+"request_buffers unlimited") + php, refused},
		"no retries":                           {upload("request_buffers 64KiB") + php, silent},
		"no request_buffers":                   {upload(retry) + php, silent},
		"FastCGI, which closes no body":        {upload(retry+"transport fastcgi") + php, silent},
		"after verify_webhook, all of a body":  {on("/a", verify+proxy(retry+"request_buffers 6MiB")), silent},
		"after observe":                        {on("/a", observe+proxy("lb_retries 1\nrequest_buffers 6MiB")), refused},
		"in handle_errors":                     {php + "handle_errors {\n" + proxy(retry+"request_buffers 64KiB") + "}\n", refused},
	} {
		t.Run(name, func(t *testing.T) {
			warnings, err := load(t, test.site)
			got := silent
			switch {
			case err != nil:
				got = refused
			case len(warnings) > 0:
				got = warned
			}
			if got != test.want {
				t.Errorf("%q instead of %q: %v %v", got, test.want, err, warnings)
			}
		})
	}

	_, err := load(t, mixer+php)
	want := "the reverse_proxy to 127.0.0.1:4000 (server srv0, route 0 /upload, route 0) buffers bodies and tries requests again, and the reverse_proxy to 127.0.0.1:9000 (server srv0, route 1 /hook, route 3 *.php) buffers deliveries"
	for _, part := range []string{want, "in Caddy ", " the bytes of one request", "take request_buffers, or lb_try_duration and lb_retries, out of the first one"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v\ndoes not say %q", err, part)
		}
	}
	warnings, _ := load(t, mixer+on("/hook", verify+proxy("")))
	if len(warnings) != 1 || !strings.Contains(warnings[0], "the reverse_proxy to 127.0.0.1:4000") {
		t.Errorf("warnings: %q", warnings)
	}
}
