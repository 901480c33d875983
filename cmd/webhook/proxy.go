package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/module"
	"github.com/hooklatch/hooklatch/schemes"
)

func proxyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "proxy --to ADDR --scheme S --secret K [--secret K2] [--scheme S2 --secret K3 ...] [--from ADDR] [--path PATH [--pass-rest]] [--observe] [--inbox FILE] [--capture] [--page ADDR] [--public-url URL] [--admin ADDR] [--print-caddyfile]",
		Short: "Verifies deliveries before an application of yours",
		Long: `Listens on --from, verifies deliveries and passes authentic ones on to the
application at --to, byte for byte and each event once. Every request is one
line of output. Ctrl-C ends it; it leaves no files but the inbox.

A --secret belongs to the --scheme before it. With several schemes, the signature
header of a delivery decides; if it has more than one, the scheme written first.

Only verified deliveries reach the application. With --path, which may end in /*,
other paths are 404; with --pass-rest they are passed on, without any Webhook-…
header. However a path is spelled, if the application may take it for --path, it
is verified.

--inbox keeps an event on disk that the application does not take, and hands it
over later. --page shows the deliveries in a browser on this machine, --capture
with their headers and bodies.

--print-caddyfile prints the same configuration for 'hooklatch run' and ends.
Write secrets as env:NAME or file:PATH for it. With --page it has an admin
endpoint in place of the page, for 'hooklatch webhook inspect'.

Exit status: 0 after Ctrl-C; 1 an address is taken; 2 wrong usage.`,
		Example: `  hooklatch webhook proxy --to 3000 --scheme stripe --secret env:STRIPE_SECRET
  hooklatch webhook proxy --from :8080 --to 3000 --scheme github --secret file:secret.txt --path /webhook --pass-rest
  hooklatch webhook proxy --to 3000 --scheme stripe --secret env:STRIPE_SECRET --print-caddyfile >Caddyfile`,
		Args:                  noArgs,
		DisableFlagsInUseLine: true,
	}
	p := &proxy{verified: new(schemeSecrets)}
	p.from = newOption(cmd, "from", "ADDR", "where to listen: a port, or a host and port of this machine; without a host: this machine only; default: :8080")
	p.to = newOption(cmd, "to", "ADDR", "the application: a port, a host and port, or a URL")
	cmd.Flags().Var(schemeFlag{p.verified}, "scheme", "how a provider signs; the sub-command schemes lists them; repeatable")
	cmd.Flags().Var(secretFlag{p.verified}, "secret", "a secret `K` of the scheme before it: its text, env:NAME or file:PATH; repeatable, the newest first")
	p.path = newOption(cmd, "path", "PATH", "the path of deliveries, /* at its end for everything below; default: any")
	p.publicURL = newOption(cmd, "public-url", "URL", "where the provider sends to, for schemes that sign the URL")
	p.inbox = newOption(cmd, "inbox", "FILE", "keep what the application does not take in this file, and hand it over later")
	cmd.Flags().BoolVar(&p.capture, "capture", false, "keep headers and bodies of deliveries in memory, for the page and for show and deliver")
	p.page = newOption(cmd, "page", "ADDR", "serve a page that shows the deliveries, on loopback, such as 127.0.0.1:9000; port 0 is a free one")
	p.admin = newOption(cmd, "admin", "ADDR", "an admin endpoint on this machine: a port such as 2019, a host and port, or unix//path; default: none")
	cmd.Flags().BoolVar(&p.passRest, "pass-rest", false, "pass requests on other paths on to the application")
	cmd.Flags().BoolVar(&p.observe, "observe", false, "verify and report, but let everything through")
	cmd.Flags().BoolVar(&p.print, "print-caddyfile", false, "print the configuration and end")
	completeSchemes(cmd)
	cmd.RunE = ending(p.run)
	return cmd
}

// proxy holds the options of webhook proxy.
type proxy struct {
	from, to, path, publicURL, inbox, page, admin *option

	verified                          *schemeSecrets
	passRest, observe, capture, print bool
}

func (p *proxy) run(cmd *cobra.Command, _ []string) error {
	config, err := p.config()
	if err != nil {
		return err
	}
	if p.print {
		return write(cmd, config.caddyfile())
	}
	for _, err := range []error{named("--from", free(config.from)), named("--admin", freeAdmin(config.admin)), named("--inbox", canHold(config.inbox))} {
		if err != nil {
			return unreached(cmd, err)
		}
	}
	return served{caddyfile: config.caddyfile(), pageAt: config.page, banner: config.banner, inbox: config.inbox}.serve(cmd)
}

// config reads the options.
func (p *proxy) config() (config proxyConfig, err error) {
	if err := required(p.to); err != nil {
		return config, err
	}
	config = proxyConfig{
		path: p.path.text, passRest: p.passRest, observe: p.observe,
		publicURL: p.publicURL.text,
		inbox:     p.inbox.text, capture: p.capture, printed: p.print,
	}
	if config.admin, err = parseAdmin(p.admin.text); err != nil {
		return config, err
	}
	if p.page.text != "" {
		if config.page, err = localOnly(p.page); err != nil {
			return config, err
		}
		if p.print && config.admin == "" {
			config.admin = defaultAdmin // a Caddyfile has no page, so inspect serves it
		}
	}
	if config.from, err = parseFrom(p.from.text); err != nil {
		return config, err
	}
	if config.to, err = parseTo(p.to.text); err != nil {
		return config, err
	}
	if same(config.from, config.to) {
		return config, errors.New("--from and --to are the same address; write the application's own port behind --to")
	}
	if config.path != "" {
		if err := module.CheckWebhookPath(config.path); err != nil {
			return config, fmt.Errorf("--path: %w", err)
		}
	} else if p.passRest {
		return config, errors.New("--pass-rest needs --path; write --path /webhook with the path of the deliveries, or everything would be passed on unverified")
	}
	if config.verified, err = p.verified.resolve(p.print); err != nil {
		return config, err
	}
	return config, config.check()
}

// check rejects options that contradict each other.
func (p proxyConfig) check() error {
	if one, other, header, found := sharedHeader(p.verified); found {
		return fmt.Errorf("%s and %s both sign with %s, so their deliveries cannot be told apart; leave one out, or run a proxy for each", one, other, header)
	}
	if p.publicURL != "" {
		if _, err := schemes.ParsePublicURL(p.publicURL); err != nil {
			return fmt.Errorf("--public-url: %w", err)
		}
		signs := false
		for _, s := range p.verified {
			signs = signs || s.SignsRequest()
		}
		if !signs {
			return errors.New("--public-url: none of the schemes signs the URL, so nothing depends on it; leave it out")
		}
	}
	return p.checkInbox()
}

// checkInbox rejects a file name that cannot be written in a Caddyfile, and an
// inbox that would never keep anything.
func (p proxyConfig) checkInbox() error {
	switch {
	case p.inbox == "":
		return nil
	case strings.ContainsAny(p.inbox, "{}\"`\n\r"):
		return errors.New("--inbox cannot stand in a Caddyfile; write a path without braces, quotes and line breaks")
	case p.observe:
		return errors.New("--inbox keeps only what is verified, and with --observe everything passes; leave one of them out")
	}
	return nil
}

// banner returns the text that is printed at start.
func (p proxyConfig) banner(page string) string {
	names := make([]string, len(p.verified))
	for i, s := range p.verified {
		names[i] = s.Name()
	}
	host, port := splitFrom(p.from)
	if host == "" || host == loopback {
		host = "localhost"
	}
	where := ""
	if host == "localhost" {
		where = " (this machine only)"
	}
	text := fmt.Sprintf("Listening on http://%s%s%s for %s; the application is %s. Ctrl-C ends it.\n",
		net.JoinHostPort(host, port), strings.TrimSuffix(p.path, "*"), where, strings.Join(names, ", "), p.to)
	if page != "" {
		text = "The page: " + page + "\n" + text
	}
	return text
}

const (
	loopback    = "127.0.0.1"
	defaultFrom = ":8080"
	// defaultAdmin is the default address of Caddy's admin endpoint.
	defaultAdmin = "localhost:2019"
)

var errFrom = errors.New("--from is no address of this machine; write a port such as :8080, or a host and port such as 0.0.0.0:8080 for all of its addresses; for a public name with a certificate write the name into the Caddyfile that --print-caddyfile prints")

// parseFrom reads the address to listen on. Without a host it is on loopback.
func parseFrom(text string) (string, error) {
	if text == "" {
		text = defaultFrom
	}
	if isPort(text) {
		text = ":" + text
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || !isPort(port) {
		return "", errFrom
	}
	switch {
	case port == "443":
		return "", errors.New("--from: Caddy keeps 443 for HTTPS; write another port, or a public name into the Caddyfile that --print-caddyfile prints")
	case host == "" || host == "localhost":
		host = loopback
	case net.ParseIP(host) == nil:
		return "", errFrom
	}
	return net.JoinHostPort(host, port), nil
}

// splitFrom returns the host to bind to, empty for all addresses, and the port.
func splitFrom(from string) (host, port string) {
	host, port, _ = net.SplitHostPort(from) // parseFrom has checked it
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return "", port
	}
	return host, port
}

var errTo = errors.New("--to is no application; write a port such as 3000, a host and port such as app:3000, or a URL without a path such as https://app.internal")

// hostName matches a name that never needs quotes.
var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// parseTo reads the address of the application and returns it as a URL.
func parseTo(text string) (string, error) {
	if isPort(strings.TrimPrefix(text, ":")) {
		text = net.JoinHostPort(loopback, strings.TrimPrefix(text, ":"))
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
		if u, err := url.Parse(text); err != nil || u.Port() == "" {
			return "", errTo
		}
	}
	u, err := url.Parse(text)
	if err == nil && strings.Trim(u.Path, "/") != "" {
		return "", errors.New("--to has a path; leave it out: the application gets each delivery at the path that it came to")
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errTo
	}
	if host := u.Hostname(); !hostName.MatchString(host) && net.ParseIP(host) == nil {
		return "", errTo
	}
	if port := u.Port(); port != "" && !isPort(port) {
		return "", errTo
	}
	return u.Scheme + "://" + u.Host, nil
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0 && text[0] != '+'
}

// same reports whether the gateway would forward deliveries to itself.
func same(from, to string) bool {
	u, err := url.Parse(to)
	if err != nil {
		return false
	}
	host, port := splitFrom(from)
	local := func(h string) bool {
		ip := net.ParseIP(h)
		return h == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
	}
	return u.Port() == port && (u.Hostname() == host || (host == "" || local(host)) && local(u.Hostname()))
}

// free returns an error if another process listens on the address. Caddy shares
// ports between processes and would not report it.
func free(address string) error {
	host, port := splitFrom(address)
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		if in, ok := errors.AsType[*net.OpError](err); ok {
			err = in.Err
		}
		return fmt.Errorf("cannot listen on port %s: %w; end what uses it, or write another one", port, err)
	}
	return l.Close()
}

// named puts the name of an option before an error, if there is one.
func named(option string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", option, err)
}

// canHold reports why a file cannot be an inbox: Caddy's own error for that is hard
// to find and to read. Nothing is left where nothing was.
func canHold(path string) error {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder; write the name of a file in it, such as %s", path, filepath.Join(path, "inbox"))
	case err == nil:
		file, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // the user names it
		if err != nil {
			return fmt.Errorf("%s cannot be written (%w); write another path, or allow this user to write it", path, reasonOf(err))
		}
		return file.Close()
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s; make it first, or write another path", folder)
	}
	probe, err := os.CreateTemp(folder, ".hooklatch-*")
	if err != nil {
		return fmt.Errorf("nothing can be written in the folder %s (%w); write another path, or allow this user to write there", folder, reasonOf(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// reasonOf returns why a file could not be opened, without its path.
func reasonOf(err error) error {
	if in, ok := errors.AsType[*os.PathError](err); ok {
		return in.Err
	}
	return err
}

// schemeSecrets holds the schemes and their secrets from the command line.
type schemeSecrets struct{ list []namedSecrets }

type namedSecrets struct {
	scheme  schemes.Scheme
	secrets []string
}

// schemeFlag is the flag --scheme. Each use begins a new scheme.
type schemeFlag struct{ *schemeSecrets }

// String returns nothing: there is no default.
func (schemeFlag) String() string { return "" }

// Type returns the word for the name in the help.
func (schemeFlag) Type() string { return "S" }

// Set adds the scheme with a name.
func (f schemeFlag) Set(name string) error {
	scheme, known := schemes.Get(name)
	if !known {
		return optionError("--scheme is not known; write one of " + strings.Join(schemes.Names(), ", "))
	}
	for _, s := range f.list {
		if s.scheme.Name() == name {
			return optionError("--scheme " + scheme.Name() + " is given twice; write it once, and all of its secrets after it")
		}
	}
	f.list = append(f.list, namedSecrets{scheme: scheme})
	return nil
}

// secretFlag is the flag --secret. It adds a secret to the scheme before it.
type secretFlag struct{ *schemeSecrets }

// String returns nothing: a secret is never shown.
func (secretFlag) String() string { return "" }

// Type returns the word for the secret in the help.
func (secretFlag) Type() string { return "K" }

// Set adds the secret.
func (f secretFlag) Set(text string) error {
	switch {
	case text == "":
		return optionError("--secret is empty; write --secret K")
	case len(f.list) == 0:
		return optionError("--secret has no --scheme before it; write --scheme S --secret K")
	}
	last := &f.list[len(f.list)-1]
	last.secrets = append(last.secrets, text)
	return nil
}

// resolve returns the schemes with their secrets as placeholders. For a printed
// Caddyfile each secret must already be a placeholder. To run, a literal secret
// is put into an environment variable of this process, so that no configuration
// contains it.
func (s *schemeSecrets) resolve(printed bool) ([]verifiedScheme, error) {
	if len(s.list) == 0 {
		return nil, errors.New("missing option; add --scheme S --secret K")
	}
	var list []verifiedScheme
	literals := 0
	for _, named := range s.list {
		if len(named.secrets) == 0 {
			return nil, fmt.Errorf("--scheme %s has no secret; write --secret K after it", named.scheme.Name())
		}
		verified := verifiedScheme{Scheme: named.scheme}
		for i, text := range named.secrets {
			placeholder, err := secretPlaceholder(text)
			if err == nil && placeholder == "" {
				if printed {
					err = errors.New("a Caddyfile should not hold a secret; write env:NAME or file:PATH")
				} else {
					literals++
					name := fmt.Sprintf("HOOKLATCH_PROXY_SECRET_%d", literals)
					placeholder, err = "{env."+name+"}", os.Setenv(name, text)
				}
			}
			if err == nil && !printed {
				_, err = readSecret(text)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", named.scheme.Name(), &schemes.SecretError{Position: i + 1, Err: err})
			}
			verified.secrets = append(verified.secrets, placeholder)
		}
		if !printed {
			if err := verified.checkSecrets(named.secrets); err != nil {
				return nil, err
			}
		}
		list = append(list, verified)
	}
	return list, nil
}

// checkSecrets returns an error for a secret that the scheme cannot use.
func (s verifiedScheme) checkSecrets(texts []string) error {
	secrets, err := readSecrets(texts)
	if err == nil {
		_, err = s.NewVerifier(secrets)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name(), err)
	}
	return nil
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secretPlaceholder returns the placeholder for env:NAME or file:PATH, and
// nothing for a literal secret.
func secretPlaceholder(text string) (string, error) {
	if name, ok := strings.CutPrefix(text, envSecret); ok {
		if !variableName.MatchString(name) {
			return "", errors.New("this is not the name of a variable; write env:NAME, of letters, digits and _")
		}
		return "{env." + name + "}", nil
	}
	if path, ok := strings.CutPrefix(text, fileSecret); ok {
		if path == "" || strings.ContainsAny(path, "{}\"`\n\r") {
			return "", errors.New("this path cannot stand in a Caddyfile; write file:PATH, without braces, quotes and line breaks")
		}
		return "{file." + path + "}", nil
	}
	return "", nil
}
