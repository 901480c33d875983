package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestHelp requests the help in each way, and checks that it lists every
// command.
func TestHelp(t *testing.T) {
	t.Parallel()
	binary := harness.Must(t, ownBuild)
	var first string
	for _, args := range [][]string{nil, {"--help"}, {"-h"}, {"help"}} {
		said, err := exec.Command(binary, args...).Output()
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
	commands := commandsOf(t, binary)
	for _, name := range commands {
		if name != "webhook" && name != "help" && !strings.Contains(first, "\n  "+name+" ") {
			t.Errorf("the command %s is missing", name)
		}
	}
	if len(commands) < 20 {
		t.Errorf("the program has only the commands %v", commands)
	}
	if strings.Contains(first, "Others:") {
		t.Errorf("a command stands under no task:\n%s", first)
	}
	said, err := exec.Command(binary, "run", "--help").Output()
	if err != nil || !bytes.Contains(said, []byte("hooklatch run [")) {
		t.Errorf("%v\n%s", err, said)
	}
}

// commandsOf lists the commands that the program completes.
func commandsOf(t *testing.T, binary string) []string {
	t.Helper()
	said, err := exec.Command(binary, "__complete", "").Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(said)) {
		if name, _, described := strings.Cut(line, "\t"); described {
			names = append(names, name)
		}
	}
	return names
}

// TestCompletion checks how bash completes command lines.
func TestCompletion(t *testing.T) {
	t.Parallel()
	harness.Needs(t, "bash")
	const bashCompletion = "/usr/share/bash-completion/bash_completion"
	if _, err := os.Stat(bashCompletion); err != nil {
		t.Skip("bash-completion is missing: install it (Debian: apt-get install bash-completion)")
	}
	path := "PATH=" + filepath.Dir(harness.Must(t, ownBuild)) + string(os.PathListSeparator) + os.Getenv("PATH")
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
		cmd.Env = append(os.Environ(), path)
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
