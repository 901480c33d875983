package webhook

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestExitStatus runs Caddy's own main and checks its output and exit status.
func TestExitStatus(t *testing.T) {
	headers := tempFile(t, []byte("X-CraneOps-Signature: "+strings.Repeat("0", 64)+"\n"))
	for name, test := range map[string]struct {
		args   string
		status int
		errOut string
	}{
		"help":                {"webhook", 0, ""},
		"schemes":             {"webhook schemes", 0, ""},
		"signed":              {"webhook sign --scheme craneops --secret k", 0, ""},
		"rejected":            {"webhook verify --scheme craneops --secret k --headers " + headers, 1, ""},
		"unknown option":      {"webhook verify --bogus", 2, "Error: unknown option --bogus\nRun 'caddy webhook verify --help' for usage.\n"},
		"missing option":      {"webhook sign", 2, "Error: missing option; add --scheme S --secret K\nRun 'caddy webhook sign --help' for usage.\n"},
		"unknown sub-command": {"webhook forge", 2, "Error: unknown sub-command; write one of deliver, demo, forget, health, inbox, inspect, list, proxy, rejudge, schemes, send, show, sign, tail, test, verify\nRun 'caddy webhook --help' for usage.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], strings.Fields(test.args)...)
			cmd.Env = append(os.Environ(), asCaddy+"=1")
			var errOut strings.Builder
			cmd.Stderr = &errOut
			err := cmd.Run()
			got := 0
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				got = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if got != test.status {
				t.Errorf("exit status %d, want %d", got, test.status)
			}
			if errOut.String() != test.errOut {
				t.Errorf("stderr %q, want %q", errOut.String(), test.errOut)
			}
		})
	}
}
