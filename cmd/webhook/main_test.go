package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// asCaddy is the variable that makes the test binary behave as Caddy with this
// command.
const asCaddy = "HOOKLATCH_TEST_AS_CADDY"

func TestMain(m *testing.M) {
	if os.Getenv(asCaddy) != "" {
		caddycmd.Main()
		return
	}
	os.Exit(m.Run())
}

var testClock = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// outcome is the exit status and the output of a command.
type outcome struct {
	status      int
	out, errOut string
}

// run executes the command with a fixed clock.
func run(t *testing.T, stdin []byte, args ...string) outcome {
	t.Helper()
	return runWithin(t.Context(), stdin, args...)
}

// runWithin runs a command whose search for an explanation ends with a context.
func runWithin(ctx context.Context, stdin []byte, args ...string) outcome {
	root := &cobra.Command{Use: "hooklatch", SilenceUsage: true} // as Caddy's
	cmd := &cobra.Command{Use: "webhook"}
	(&command{now: func() time.Time { return testClock }}).build(cmd)
	root.AddCommand(cmd)
	var out, errOut bytes.Buffer
	root.SetArgs(append([]string{"webhook"}, args...))
	root.SetIn(bytes.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errOut)
	return outcome{status: status(root.ExecuteContext(ctx)), out: out.String(), errOut: errOut.String()}
}

// status returns the exit status that Caddy's main uses for an error. Caddy's
// error type is not exported; TestExitStatus runs the real main.
func status(err error) int {
	if err == nil {
		return 0
	}
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		if code := v.Elem().FieldByName("ExitCode"); code.IsValid() {
			return int(code.Int())
		}
	}
	return 1
}

// row finds a line of a report by its name.
func (o outcome) row(name string) string {
	for line := range strings.Lines(o.out) {
		if text, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

func tempFile(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
