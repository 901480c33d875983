package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// canary is the secret in every configuration that must not start.
const canary = "canary-of-a-configured-secret"

// misconfigured is a Caddyfile that must not start.
type misconfigured struct {
	name   string
	site   string
	env    []string
	line   bool     // the adapter detects it: the error names file and line, also in `adapt`
	saying []string // texts in the error
}

// siteLine is the line of the Caddyfile where site begins.
const siteLine = 5

func misconfigurations() []misconfigured {
	option := func(name, option string, saying ...string) misconfigured {
		return misconfigured{
			name: name, site: "verify_webhook craneops {env.CANARY_SECRET} {\n" + option + "\n}",
			line: true, saying: saying,
		}
	}
	return []misconfigured{
		{name: "unset variable", site: "verify_webhook craneops {env.NOT_SET}", saying: []string{"craneops", "secret"}},
		{name: "second secret unset", site: "verify_webhook craneops {env.CANARY_SECRET} {env.NOT_SET}", saying: []string{"craneops", "secret", "2"}},
		{name: "variable inside a text", site: "verify_webhook craneops " + canary + "{env.NOT_SET}", saying: []string{"craneops", "secret"}},
		{name: "empty variable", site: "verify_webhook craneops {env.EMPTY}", env: []string{"EMPTY="}, saying: []string{"craneops", "secret"}},
		{name: "empty text", site: `verify_webhook craneops ""`, saying: []string{"secret"}},
		{name: "missing file", site: "verify_webhook craneops {file./nowhere/at/all}", saying: []string{"craneops", "secret"}},
		{name: "mceasy not base64", site: "verify_webhook mceasy {env.CANARY_SECRET}", saying: []string{"mceasy", "secret", "base64"}},
		{name: "mceasy literal not base64", site: "verify_webhook mceasy " + canary, saying: []string{"secret", "base64"}},
		{name: "label in the error", site: "verify_webhook mceasy {env.CANARY_SECRET} {\nprovider fleet-west\n}", saying: []string{"fleet-west", "secret"}},
		{
			name: "two handlers, one label", saying: []string{"craneops", "provider"},
			site: "route /a {\nverify_webhook craneops {env.CANARY_SECRET}\n}\nroute /b {\nverify_webhook craneops {env.CANARY_SECRET}\n}",
		},
		{
			name: "two schemes, one label", saying: []string{"same"},
			site: "route /a {\nverify_webhook craneops {env.CANARY_SECRET} {\nprovider same\n}\n}\nroute /b {\nverify_webhook easytools {env.CANARY_SECRET} {\nprovider same\n}\n}",
		},
		{
			name: "two histories, one label", saying: []string{"same", "replay"},
			site: "route /a {\nverify_webhook craneops {env.CANARY_SECRET} {\nprovider same\n}\n}\nroute /b {\nverify_webhook craneops {env.CANARY_SECRET} {\nprovider same\nreplay memory {\nsize 7\n}\n}\n}",
		},
		{name: "window of a scheme without time", site: "verify_webhook craneops {env.CANARY_SECRET} {\ntolerance 5m\n}", saying: []string{"tolerance"}},
		{name: "history shorter than the window", site: "verify_webhook cryptr {env.CANARY_SECRET} {\nreplay memory {\nttl 9m\n}\n}", saying: []string{"ttl"}},

		{name: "no scheme", site: "verify_webhook", line: true},
		{name: "no secret", site: "verify_webhook craneops", saying: []string{"secret"}},
		{name: "unknown scheme", site: "verify_webhook crnaeops {env.CANARY_SECRET}", line: true, saying: []string{"unknown scheme", "craneops"}},
		option("unknown option", "tolerate 5m", "tolerance"),
		option("option not yet there", "sign_downstream x", "sign_upstream"),
		option("option twice", "max_body 1MiB\nmax_body 2MiB", "max_body"),
		option("provider twice", "provider a\nprovider b", "provider"),
		option("missing argument", "max_body", "max_body"),
		option("surplus argument", "max_body 1MiB 2MiB", "max_body"),
		option("no size", "max_body lots", "max_body"),
		option("no duration", "body_timeout soon", "body_timeout"),
		option("unknown choice", "on_duplicate drop", "on_duplicate"),
		option("unknown history option", "replay memory {\nentries 5\n}", "size, ttl, key"),
	}
}

func TestStartUpErrors(t *testing.T) {
	t.Parallel()
	for _, m := range misconfigurations() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for _, command := range []string{"validate", "run", "adapt"} {
				said, err := m.execute(t, command)
				if strings.Contains(said, canary) && (command != "adapt" || err != nil) {
					t.Errorf("%s prints the secret", command)
				}
				if command == "adapt" && !m.line {
					continue
				}
				if err == nil {
					t.Errorf("%s succeeds", command)
				}
				m.check(t, command, said)
			}
		})
	}
}

func (m misconfigured) check(t *testing.T, command, said string) {
	t.Helper()
	message := failure(said)
	for _, word := range m.saying {
		if !strings.Contains(message, word) {
			t.Errorf("%s does not mention %q:\n%s", command, word, message)
		}
	}
	if m.line && !namesLine(message, m.site) {
		t.Errorf("%s names no line of the file:\n%s", command, message)
	}
}

// failure returns the error from the output, without the log before it. It is
// the last entry, since Caddy logs its error unless the output is a terminal.
func failure(said string) string {
	message := ""
	for line := range strings.SplitSeq(said, "\n") {
		var e harness.Entry
		if json.Unmarshal([]byte(line), &e) == nil && e.Text("level") == "error" {
			message = e.Text("msg")
		}
	}
	return message
}

// namesLine reports whether a message names a line of the directive. It accepts
// any of its lines, because the mistake decides which one is named.
func namesLine(message, site string) bool {
	for n := range strings.Count(site, "\n") + 1 {
		for _, form := range []string{"Caddyfile:%", "line %"} {
			if strings.Contains(message, strings.ReplaceAll(form, "%", strconv.Itoa(siteLine+n))) {
				return true
			}
		}
	}
	return false
}

func (m misconfigured) execute(t *testing.T, command string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	text := "{\n\tadmin off\n}\n:" + harness.FreePort(t) + " {\n" + m.site + "\nrespond 404\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, harness.Binary(t), command, "--config", config)
	cmd.Env = append(append(harness.BareEnv(dir), "CANARY_SECRET="+canary), m.env...)
	said, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s is still running after %v:\n%s", command, harness.Patience, said)
	}
	return string(said), err
}

// TestUnknownJSON: a configuration in JSON is read as strictly as a Caddyfile.
func TestUnknownJSON(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "caddy.json")
	text := `{"admin":{"disabled":true},"apps":{"http":{"servers":{"s":{"listen":["127.0.0.1:` + harness.FreePort(t) + `"],"routes":[{"handle":[` +
		`{"handler":"verify_webhook","scheme":"craneops","secrets":["` + canary + `"],"tolerate":{}}]}]}}}}}`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(harness.Binary(t), "validate", "--config", config)
	cmd.Env = harness.BareEnv(dir)
	said, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "tolerate") || strings.Contains(string(said), canary) {
		t.Errorf("%v: %s", err, said)
	}
}
