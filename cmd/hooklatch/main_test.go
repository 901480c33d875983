package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// asHooklatch makes the test binary behave as hooklatch.
const asHooklatch = "HOOKLATCH_TEST_AS_HOOKLATCH"

func TestMain(m *testing.M) {
	if os.Getenv(asHooklatch) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// inPath puts the program into the path.
func inPath(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "hooklatch")); err != nil {
		t.Skip(err)
	}
	t.Setenv(asHooklatch, "1")
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestHelp asks the real program in each way, and looks for every command.
func TestHelp(t *testing.T) {
	inPath(t)
	var first string
	for _, args := range [][]string{nil, {"--help"}, {"-h"}, {"help"}} {
		said, err := exec.Command("hooklatch", args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(said)
		}
		if string(said) != first {
			t.Errorf("%v has another help", args)
		}
	}
	for _, want := range []string{
		"Hooklatch verifies webhook deliveries", "  hooklatch webhook demo\n", "  hooklatch webhook proxy --to 3000",
		"\nBegin:\n", "\nRun a gateway:\n", "  run ", "  webhook verify ",
	} {
		if !strings.Contains("\n"+first, want) {
			t.Errorf("no %q in\n%s", want, first)
		}
	}
	for name := range caddycmd.Commands() {
		if name != "webhook" && !strings.Contains(first, "\n  "+name+" ") {
			t.Errorf("the command %s is missing", name)
		}
	}
	if strings.Contains(first, "Others:") {
		t.Errorf("a command stands under no task:\n%s", first)
	}
	said, err := exec.Command("hooklatch", "run", "--help").Output()
	if err != nil || !bytes.Contains(said, []byte("hooklatch run [")) {
		t.Errorf("%v\n%s", err, said)
	}
}

// TestCompletion has bash complete command lines.
func TestCompletion(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is missing: install bash (Debian: apt-get install bash)")
	}
	const bashCompletion = "/usr/share/bash-completion/bash_completion"
	if _, err := os.Stat(bashCompletion); err != nil {
		t.Skip("bash-completion is missing: install it (Debian: apt-get install bash-completion)")
	}
	inPath(t)
	for line, want := range map[string][]string{
		"hooklatch web":                          {"webhook"},
		"hooklatch webhook ":                     {"demo", "proxy", "send", "verify"},
		"hooklatch webhook proxy --sch":          {"--scheme"},
		"hooklatch webhook proxy --scheme stri":  {"stripe"},
		"hooklatch webhook verify --scheme cry":  {"cryptr"},
		"hooklatch webhook proxy --print-caddyf": {"--print-caddyfile"},
	} {
		cmd := exec.Command("bash", "-c", `
			source `+bashCompletion+`
			source <(hooklatch completion bash)
			COMP_LINE=$1 COMP_POINT=${#1}
			read -ra COMP_WORDS <<<"$1"
			[[ $1 == *" " ]] && COMP_WORDS+=("")
			COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			__start_hooklatch
			printf '%s\n' "${COMPREPLY[@]}"`, "bash", line)
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, said)
			continue
		}
		replies := "\n" + string(said)
		for _, word := range want {
			if !strings.Contains(replies, "\n"+word) {
				t.Errorf("%q is not completed to %s:%s", line, word, replies)
			}
		}
	}
}
