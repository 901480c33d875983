package webhook

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/examples/quickstart"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo [--admin ADDR]",
		Short: "Runs a gateway and an application to try things out",
		Long: `Runs the quickstart from this binary: a gateway for four providers, the
application behind it, and a page that shows the deliveries, all on this machine
only. It prints a delivery to send, and a line for each that arrives. It takes
ports 8080 and 9000, or free ones.
Ctrl-C ends it; it leaves no files.`,
		Example:               `  hooklatch webhook demo`,
		Args:                  noArgs,
		DisableFlagsInUseLine: true,
	}
	admin := newOption(cmd, "admin", "ADDR", "an admin endpoint on this machine: a port such as 2019, a host and port, or unix//path; default: none")
	cmd.RunE = ending(func(cmd *cobra.Command, _ []string) error {
		address, err := parseAdmin(admin.text)
		if err != nil {
			return err
		}
		if err := named("--admin", freeAdmin(address)); err != nil {
			return unreached(cmd, err)
		}
		gateway, err := portOr(demoPort)
		if err != nil {
			return err
		}
		application, err := portOr(demoApplicationPort)
		if err != nil {
			return err
		}
		if err := setEnvironment(quickstart.Environment); err != nil {
			return err
		}
		return served{
			caddyfile: demoCaddyfile(gateway, application, address),
			pageAt:    anyLocalPort,
			banner:    func(page string) string { return demoBanner(gateway, application, page) },
		}.serve(cmd)
	})
	return cmd
}

// The ports of the quickstart.
const (
	demoPort            = "8080"
	demoApplicationPort = "9000"
)

// portOr returns the port, or a free one if it is in use on this machine.
func portOr(port string) (string, error) {
	address := net.JoinHostPort(loopback, port)
	if free(address) == nil {
		return port, nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return "", fmt.Errorf("there is no free port: %w", err)
	}
	port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	return port, l.Close()
}

// setEnvironment sets variables of this process.
func setEnvironment(lines string) error {
	for line := range strings.Lines(lines) {
		name, value, found := strings.Cut(strings.TrimSpace(line), "=")
		if !found || strings.HasPrefix(name, "#") {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// demoCaddyfile returns the quickstart on other ports, with global options for
// a process that leaves no files. It has no access log, since the command
// prints a line for each delivery.
func demoCaddyfile(gateway, application, admin string) string {
	capturing := demoDirective.ReplaceAllString(quickstart.Caddyfile, "$0 {\n\t\t\tcapture {\n\t\t\t\tof all\n\t\t\t}\n\t\t}")
	return strings.NewReplacer(
		"{\n\t# Both sites", "{\n"+strings.Join(indent(globalOptions(admin)), "")+"\n\t# Both sites",
		"\tlog {\n", "\tlog {\n\t\tlevel ERROR\n",
		"\tlog\n", "",
		":"+demoPort, ":"+gateway,
		":"+demoApplicationPort, ":"+application,
	).Replace(capturing)
}

func indent(lines []string) []string {
	indented := make([]string, len(lines))
	for i, line := range lines {
		indented[i] = "\t" + line + "\n"
	}
	return indented
}

// demoDirective matches a line with the directive, which has no options in the
// quickstart.
var demoDirective = regexp.MustCompile(`(?m)^\t\tverify_webhook [^{]*\{env\.[A-Z_]+\}$`)

func demoBanner(gateway, application, page string) string {
	send := fmt.Sprintf(`echo '{"event":"subscription_created","timestamp":1741442518}' | %s webhook send --scheme easytools --secret demo-easytools-secret --to http://localhost:%s/easytools -`, program(), gateway)
	return fmt.Sprintf(`The gateway listens on http://localhost:%s, the application on http://localhost:%s.
In another terminal, send a delivery as a provider does:

  %s

Send it again: it is a duplicate, and the application does not see it twice.
Send it with --secret wrong: it is a forgery, and the sender reads 401.
The page shows all of them, and says why one was refused:

  %s

For an application of your own:

  %s webhook proxy --to 3000 --scheme stripe --secret env:STRIPE_SECRET

Ctrl-C ends the demo. Each delivery is a line:

`, gateway, application, send, page, program())
}

// program returns the word with which a shell in any folder can call this
// binary.
func program() string {
	name := os.Args[0]
	if !strings.ContainsRune(name, filepath.Separator) {
		return name // found in PATH
	}
	path, err := filepath.Abs(name)
	if err != nil {
		path = name
	}
	if runtime.GOOS == "windows" {
		return `& "` + path + `"`
	}
	return shellWord(path)
}

// shellWord quotes a text as one word for sh.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+", r)
	}
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

var errAdmin = errors.New("--admin is no address; write a port such as 2020, a host and port such as localhost:2020, or unix//path for a socket")

// parseAdmin reads where the admin endpoint is to be. Without a host that is this
// machine only: whoever reaches the endpoint can do everything.
func parseAdmin(text string) (string, error) {
	switch {
	case text == "":
		return "", nil
	case text == "off" || strings.ContainsAny(text, " \t\r\n{}\"`#"):
		return "", errAdmin
	case isPort(text):
		text = ":" + text
	}
	if strings.HasPrefix(text, "unix/") {
		return text, nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || !isPort(port) {
		return "", errAdmin
	}
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}

// freeAdmin reports an error if something listens where the admin endpoint is to
// be.
func freeAdmin(address string) error {
	if address == "" || strings.HasPrefix(address, "unix/") {
		return nil
	}
	return free(address)
}
