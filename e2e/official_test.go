package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestOfficialLibraries: a delivery signed by the provider's own library
// reaches the application, an altered one does not, and the provider's
// libraries agree on each.
func TestOfficialLibraries(t *testing.T) {
	t.Parallel()
	libraries := officialLibraries(t)
	g := newOfficialGateway(t)
	for _, s := range specimens() {
		for _, m := range g.makers(s, libraries) {
			t.Run(s.name+"/"+m.name, func(t *testing.T) {
				for i, c := range s.contentsAt(time.Now()) {
					if !m.takes(c) {
						continue
					}
					t.Run(fmt.Sprintf("%s-%d", c.kind, i), func(t *testing.T) {
						g.try(t, s, m, i, libraries)
					})
				}
			})
		}
	}
}

// TestOfficialWitness: the schemes whose Witness names a library are those that
// are tested with one. This test needs neither the binary nor the libraries,
// which take minutes to build and install.
func TestOfficialWitness(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, s := range specimens() {
		covered[s.scheme] = true
	}
	tried := witnessedByLibrary(t)
	for scheme := range vectorSchemes(t) {
		if named, ok := tried[scheme]; !ok {
			t.Errorf("docs/providers.md has no %s; run make docs", scheme)
		} else if named != covered[scheme] {
			t.Errorf("%s: its Witness names a library: %t; it has a specimen: %t", scheme, named, covered[scheme])
		}
	}
}

// vectorSchemes are the schemes that have vectors.
func vectorSchemes(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for _, v := range loadVectors(t) {
		known[v.Scheme] = true
	}
	return known
}

// TestOfficialCoverage: every scheme without a library has a reason, and our
// own signer is not used if a library signs.
func TestOfficialCoverage(t *testing.T) {
	t.Parallel()
	known := vectorSchemes(t)
	if listed := listedSchemes(t); !maps.Equal(listed, known) {
		t.Errorf("the binary has %v, and there are vectors for %v", listed, known)
	}

	libraries := officialLibraries(t)
	for _, s := range specimens() {
		signs, verifies := false, false
		for _, l := range s.libraries(libraries) {
			signs, verifies = signs || l.Signs, verifies || l.Verifies
		}
		if !signs && !verifies {
			t.Errorf("no library knows %s", s.name)
		}
		if signs == (s.sign != nil) {
			t.Errorf("%s: a library signs: %t; the test signs: %t", s.name, signs, s.sign != nil)
		}
	}
	for _, l := range libraries {
		if l.Version == "" {
			t.Errorf("%s has no version", l.Name)
		}
		if !slices.ContainsFunc(specimens(), func(s specimen) bool { return s.name == l.Scheme }) {
			t.Errorf("%v signs for %s, of which there is no specimen", l, l.Scheme)
		}
	}
}

var witnessRow = regexp.MustCompile("(?m)^\\| `([a-z0-9_-]+)` \\| (?:documentation only|published signature|(.*?official library)) \\|")

// witnessedByLibrary reports, for each scheme in the generated
// docs/providers.md, whether its Witness names a library that signs or
// verifies.
func witnessedByLibrary(t *testing.T) map[string]bool {
	t.Helper()
	tried := map[string]bool{}
	for _, row := range witnessRow.FindAllStringSubmatch(contents(t, "../docs/providers.md"), -1) {
		tried[row[1]] = row[2] != ""
	}
	return tried
}

// listedSchemes returns the schemes of the binary. It skips the indented lines
// below each name.
func listedSchemes(t *testing.T) map[string]bool {
	t.Helper()
	said, code := webhook(t, "", "schemes")
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, said)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(said) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] != "SCHEME" && line[0] != ' ' {
			listed[fields[0]] = true
		}
	}
	return listed
}

// officialGateway is a gateway with a route for every specimen whose scheme the
// binary has.
type officialGateway struct {
	*harness.Gateway
	app    *harness.Application
	listed map[string]bool
	sent   int
}

func newOfficialGateway(t *testing.T) *officialGateway {
	t.Helper()
	g := &officialGateway{app: harness.NewApplication(t), listed: listedSchemes(t)}
	var routes, env []string
	for _, s := range specimens() {
		if g.listed[s.scheme] {
			options := append([]string{"provider " + s.name, "replay off"}, s.options...)
			routes = append(routes, harness.Route("/"+s.name, harness.Verify(s.scheme, harness.SecretVariable(s.name), options...), "reverse_proxy "+g.app.Addr))
			env = append(env, harness.SecretVariable(s.name)+"="+s.secret)
		}
	}
	g.Gateway = harness.Start(t, harness.OpenSite(routes...), env...)
	return g
}

// maker signs a specimen's deliveries.
type maker struct {
	name  string
	takes func(content) bool
	sign  func(t *testing.T, o outgoing) []harness.Header
}

// makers returns the libraries that sign, or our own signer if there are none,
// and the command.
func (g *officialGateway) makers(s specimen, libraries []library) []maker {
	takesAll := func(content) bool { return true }
	var list []maker
	for _, l := range s.libraries(libraries) {
		if l.Signs {
			list = append(list, maker{l.String(), l.takes, l.sign})
		}
	}
	if s.sign != nil {
		list = append(list, maker{"documentation", takesAll, func(_ *testing.T, o outgoing) []harness.Header { return s.sign(o) }})
	}
	if g.listed[s.scheme] && s.name == s.scheme {
		list = append(list, maker{"command", takesAll, s.signByCommand})
	}
	return list
}

func (s specimen) signByCommand(t *testing.T, o outgoing) []harness.Header {
	t.Helper()
	args := []string{"sign", "--scheme", s.scheme, "--secret", o.key, "--at", harness.Unix(o.at)}
	if s.id != "" {
		args = append(args, "--id", o.id)
	}
	if s.located {
		args = append(args, "--url", o.url)
	}
	said, code := webhook(t, string(o.body), append(args, "-")...)
	if code != 0 {
		t.Fatalf("exit status %d: %s", code, said)
	}
	var headers []harness.Header
	for line := range strings.Lines(said) {
		if name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ": "); found {
			headers = append(headers, harness.Header{Name: name, Value: value})
		}
	}
	return headers
}

// try signs one content with the maker. The gateway and the libraries verify
// the delivery and its alterations.
func (g *officialGateway) try(t *testing.T, s specimen, m maker, index int, libraries []library) {
	t.Helper()
	now := time.Now()
	kind := s.contentsAt(now)[index].kind
	libraries = slices.DeleteFunc(s.libraries(libraries), func(l library) bool {
		return !l.Verifies || !l.takes(content{kind: kind})
	})
	sign := func(key string, at time.Time) harness.Delivery {
		g.sent++
		d := s.request(s.contentsAt(at)[index], fmt.Sprintf("/%s?n=%d", s.name, g.sent))
		headers := m.sign(t, outgoing{key, d.Body, at, g.url(d), fmt.Sprintf("msg_e2e-%d", g.sent)})
		d.Headers = append(d.Headers, headers...)
		return d
	}

	honest := sign(s.signingKey(), now)
	for _, l := range libraries {
		if err := l.verify(t, honest, s.secret, g.url(honest), now); err != nil {
			t.Errorf("%v refuses it: %v", l, err)
		}
	}
	if g.listed[s.scheme] {
		g.accepts(t, s, honest)
	}

	if kind != compactJSON {
		return
	}
	for _, a := range s.alterations(t, now, sign) {
		t.Run(a.name, func(t *testing.T) {
			for _, l := range libraries {
				err := l.verify(t, a.sent, s.secret, g.url(a.sent), now)
				if judged := l.JudgesTime || !a.old; err == nil && judged && !a.future {
					t.Errorf("%v accepts it", l)
				}
			}
			if g.listed[s.scheme] {
				g.Send(t, a.sent).Rejected(t, a.reason)
				if n := len(g.app.With(a.sent.Path)); n != 0 {
					t.Errorf("it reached the application %d times", n)
				}
			}
		})
	}
}

func (g *officialGateway) accepts(t *testing.T, s specimen, d harness.Delivery) {
	t.Helper()
	g.Send(t, d).Accepted(t)
	got := g.app.With(d.Path)
	if len(got) != 1 {
		t.Fatalf("the application received it %d times", len(got))
	}
	got[0].Carries(t, d)
	want := http.Header{"Webhook-Verdict": {"accepted"}, "Webhook-Provider": {s.name}}
	if s.id != "" {
		want.Set("Webhook-Id", d.Get(s.id))
	}
	for name := range want {
		if values := got[0].Header.Values(name); !slices.Equal(values, want[name]) {
			t.Errorf("the application received %s %q, not %q", name, values, want[name])
		}
	}
}

func (g *officialGateway) url(d harness.Delivery) string { return "http://" + g.Addr + d.Path }
