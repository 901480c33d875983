package e2e

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

const (
	oldCraneopsSecret  = "whsec_e2e-canary-old-5Rt2Yp8N"
	nextCraneopsSecret = "whsec_e2e-canary-next-1Jd6Wk4C"
	queryToken         = "e2e-canary-query-5tGb2Lw9"
)

// example describes a folder of ../examples to the test. The addresses are
// those in the example, and are replaced with free ones of this machine.
type example struct {
	file      string   // the gateway's file, if it is not ./Caddyfile
	site      string   // address of the gateway
	apps      []string // addresses of the applications
	also      string   // another address that it listens on
	providers []string
	explains  bool                      // every sender reads the reason
	redis     bool                      // it needs a Redis
	build     func(t *testing.T) string // builds another binary, if it needs one
	more      func(t *testing.T, s *staged)
}

const (
	hooksSite = "hooks.example.com"
	hooksApp  = "app:3000"
	secretDir = "/run/secrets"
)

var examples = map[string]example{
	"quickstart": {
		site: ":8080", apps: []string{"127.0.0.1:9000"}, also: ":9000",
		providers: []string{"easytools", "mceasy", "cryptr", "craneops"},
		explains:  true, more: useBundledApplication,
	},
	"easytools":       {site: hooksSite, apps: []string{hooksApp}, providers: []string{"easytools"}, more: useTolerance},
	"mceasy":          {site: hooksSite, apps: []string{hooksApp}, providers: []string{"mceasy"}, more: useOtherOccurrence},
	"cryptr":          {site: hooksSite, apps: []string{hooksApp}, providers: []string{"cryptr"}, more: useRetries},
	"craneops":        {site: hooksSite, apps: []string{hooksApp}, providers: []string{"craneops"}, more: useOtherEvent},
	"errors":          {site: hooksSite, apps: []string{hooksApp}, providers: []string{"easytools"}, more: useReason},
	"secret-rotation": {site: hooksSite, apps: []string{hooksApp}, providers: []string{"craneops"}, more: useRotation},
	"replay-file":     {site: hooksSite, apps: []string{hooksApp}, providers: []string{"mceasy", "craneops"}, more: useFileAfterKill},
	"replay-redis":    {site: hooksSite, apps: []string{hooksApp}, providers: []string{"mceasy", "craneops"}, redis: true, more: useTwoWithRedis},
	"own-scheme": {
		site: hooksSite, apps: []string{hooksApp}, providers: []string{"acme"}, more: useOwnScheme,
	},
	"third-party-scheme": {
		site: hooksSite, apps: []string{hooksApp}, providers: []string{"acme"}, build: thirdPartyBinary, more: useThirdParty,
	},
	"monitoring": {site: hooksSite, apps: []string{hooksApp}, also: ":9180", providers: []string{"craneops"}, more: useMetrics},
	"sidecar": {
		file: "gateway/Caddyfile",
		site: ":8080", apps: []string{hooksApp}, providers: []string{"cryptr"}, more: checkApplication,
	},
	"kubernetes": {
		site: ":8080", apps: []string{hooksApp}, also: ":8081", providers: []string{"craneops"}, redis: true, more: useProbes,
	},
	"inbox": {
		site: ":8080", apps: []string{hooksApp}, also: ":8081", providers: []string{"craneops"}, more: useInbox,
	},
	"routing": {
		site: hooksSite, apps: []string{hooksApp, "directory:3000", "onboarding:3000"},
		providers: []string{"cryptr"}, more: useEvents,
	},
}

// exampleBodies are bodies with members that become headers.
var exampleBodies = map[string]struct {
	body    string
	headers map[string]string
}{
	"easytools": {`{"event":"subscription_created","timestamp":1741442518}`, map[string]string{
		"Webhook-Event": "subscription_created", "Webhook-Occurred-At": "2025-03-08T14:01:58Z",
	}},
	"mceasy": {`{"event_id":6,"event_name":"Harsh Braking","event_type":"ALARM","event":{"data":{}}}`, map[string]string{
		"Webhook-Event": "alarm.harsh_braking", "Webhook-Occurrence-Id": "48213",
	}},
	"cryptr": {cryptrEvent("dir_sync.user.update.success"), map[string]string{
		"Webhook-Event": "dir_sync.user.update.success", "Webhook-Tenant": "3-belges", "Webhook-Environment": "sandbox",
	}},
	"acme": {`{"id":"evt_1","type":"order.paid","created_at":"2026-01-31T12:00:00Z","account":{"id":"acct_7"}}`, map[string]string{
		"Webhook-Event": "order.paid", "Webhook-Id": "evt_1", "Webhook-Tenant": "acct_7", "Webhook-Occurred-At": "2026-01-31T12:00:00Z",
	}},
	"craneops": {`{"supplier": "approved"}`, map[string]string{"Webhook-Unsigned-Event": "booking.created"}},
}

func cryptrEvent(code string) string {
	return fmt.Sprintf(`{"__domain__":"3-belges","__environment__":"sandbox","code":%q}`, code)
}

// TestExamples uses every example as a user would. A new folder needs an entry
// here.
func TestExamples(t *testing.T) {
	t.Parallel()
	const root = "../examples"
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, folder := range entries {
		if !folder.IsDir() || folder.Name() == "library" { // a program, with its own test beside it
			continue
		}
		found++
		t.Run(folder.Name(), func(t *testing.T) {
			t.Parallel()
			e, known := examples[folder.Name()]
			if !known {
				t.Fatal("no test knows this example")
			}
			path := filepath.Join(root, folder.Name(), cmp.Or(e.file, "Caddyfile"))
			s := &staged{example: e, text: contents(t, path), secretDir: t.TempDir()}
			s.writeSecret(t, "craneops-new", harness.CraneOpsSecret)
			s.writeSecret(t, "craneops-old", oldCraneopsSecret)
			s.writeSecret(t, "cryptr", harness.CryptrSecret)
			s.writeSecret(t, "craneops", harness.CraneOpsSecret)
			if e.redis {
				s.redis = startRedis(t)
			}
			s.checkCommands(t, path)
			s.start(t)
			for _, p := range append(harness.Providers(), acmeProvider) {
				if slices.Contains(e.providers, p.Name) {
					s.use(t, p)
				}
			}
			e.more(t, s)
		})
	}
	if found != len(examples) {
		t.Errorf("%d examples, %d expected", found, len(examples))
	}
}

// staged is an example that is prepared to run.
type staged struct {
	example
	*harness.Gateway
	text      string
	secretDir string
	redis     *redisServer // nil if it needs none
	alsoAddr  string
	running   map[string]*harness.Application // by the address in the example
	sent      []harness.Delivery
	reloaded  bool // the configuration has been reloaded
}

// secrets returns the environment variables that the example uses.
func (s *staged) secrets() []string {
	env := append(harness.Secrets(), "ACME_SECRET="+acmeSecret)
	if s.redis != nil {
		env = append(env, "REDIS_URL="+s.redis.url())
	}
	return env
}

func (s *staged) executable(t *testing.T) string {
	t.Helper()
	if s.build != nil {
		return s.build(t)
	}
	return harness.Binary(t)
}

func (s *staged) writeSecret(t *testing.T, name, secret string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.secretDir, name), []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkCommands runs the commands on the unchanged example, except for the
// paths of secrets.
func (s *staged) checkCommands(t *testing.T, path string) {
	t.Helper()
	dir := t.TempDir()
	readable := filepath.Join(dir, "Caddyfile")
	text := strings.ReplaceAll(s.text, secretDir, s.secretDir)
	if err := os.WriteFile(readable, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"fmt", "--diff", path},
		{"adapt", "--config", path},
		{"validate", "--config", readable},
	} {
		cmd := exec.Command(s.executable(t), args...)
		cmd.Env = append(append(harness.BareEnv(dir), "STATE_DIRECTORY="+dir), s.secrets()...)
		said, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %v\n%s", args, err, said)
		}
		holdsNone(t, args[0]+" says", string(said), canaries())
	}
}

// start runs the example with free ports, and with the given texts replaced.
func (s *staged) start(t *testing.T, pairs ...string) {
	t.Helper()
	s.running = map[string]*harness.Application{}
	for _, addr := range s.apps {
		s.running[addr] = harness.NewApplication(t)
		pairs = append(pairs, addr, s.running[addr].Addr)
	}
	if strings.Contains(s.text, secretDir) {
		pairs = append(pairs, secretDir, s.secretDir)
	}
	for range 5 {
		s.launch(t, pairs)
		if s.Ready(t) {
			return
		}
		if !strings.Contains(s.Log.String(), "address already in use") {
			t.Fatalf("the example did not start:\n%s", s.Log)
		}
	}
	t.Fatal("five times something else took the port")
}

// launch is like harness.Launch, for a whole Caddyfile.
func (s *staged) launch(t *testing.T, pairs []string) {
	t.Helper()
	dir, port := t.TempDir(), harness.FreePort(t)
	g := &harness.Gateway{
		Addr:   "127.0.0.1:" + port,
		Admin:  "127.0.0.1:" + harness.FreePort(t),
		Log:    new(harness.LogBook),
		Binary: s.executable(t),
		Config: filepath.Join(dir, "Caddyfile"),
		Exited: make(chan struct{}),
	}
	g.Env = append(append(harness.BareEnv(dir), "CADDY_ADMIN="+g.Admin, "STATE_DIRECTORY="+dir), s.secrets()...)
	site := ":" + port
	if s.site == hooksSite {
		site = "http://" + g.Addr
	}
	pairs = append(slices.Clone(pairs), s.site+" {", site+" {")
	if s.also != "" {
		also := harness.FreePort(t)
		s.alsoAddr = "127.0.0.1:" + also
		pairs = append(pairs, s.also+" {", ":"+also+" {")
	}
	if err := os.WriteFile(g.Config, []byte(replaced(t, s.text, pairs)), 0o600); err != nil {
		t.Fatal(err)
	}
	// The cleanup that is registered first runs last, and reads the whole log.
	t.Cleanup(func() { s.inspectLog(t, g.Log) })
	g.Run(t)
	s.Gateway = g
}

// replaced fails if there is nothing to replace: the test would then not test
// the example.
func replaced(t *testing.T, text string, pairs []string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the example has no %q", pairs[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// outcome is the result of one delivery.
type outcome struct {
	harness.Answer
	logged  harness.Entry                 // of the access log
	arrived map[string][]harness.Received // by the application's address in the example
}

const stepHeader = "X-E2e-Step"

// step sends a delivery and collects its outcome.
func (s *staged) step(t *testing.T, d harness.Delivery) outcome {
	t.Helper()
	name := fmt.Sprintf("step %d", len(s.sent))
	d = d.Plus(stepHeader, name)
	s.sent = append(s.sent, d)
	before := map[string]int{}
	for addr, app := range s.running {
		before[addr] = len(app.All())
	}
	o := outcome{arrived: map[string][]harness.Received{}}
	if s.reloaded {
		o.Answer = s.SendAfterReload(t, d)
	} else {
		o.Answer = s.Send(t, d)
	}
	for addr, app := range s.running {
		if all := app.All(); len(all) > before[addr] {
			o.arrived[addr] = all[before[addr]:]
			o.arrived[addr][0].Carries(t, d)
		}
	}
	o.logged = s.Log.Await(t, name, func(e harness.Entry) bool {
		_, step := loggedRequest(e)
		return e.Text("msg") == "handled request" && step == name
	})
	path, _, _ := strings.Cut(d.Path, "?")
	if uri, _ := loggedRequest(o.logged); uri != path+"?REDACTED" {
		t.Errorf("the access log has the URI %q for %s", uri, d.Path)
	}
	return o
}

func loggedRequest(e harness.Entry) (uri, step string) {
	request, _ := e["request"].(map[string]any)
	headers, _ := request["headers"].(map[string]any)
	if values, _ := headers[stepHeader].([]any); len(values) == 1 {
		step, _ = values[0].(string)
	}
	uri, _ = request["uri"].(string)
	return uri, step
}

// is asserts the answer that the sender reads and the entry in the access log.
func (o outcome) is(t *testing.T, status int, verdict, reason string) {
	t.Helper()
	gotVerdict, gotReason := o.logged.Text("webhook_verdict"), o.logged.Text("webhook_reason")
	if o.Status != status || gotVerdict != verdict || gotReason != reason {
		t.Errorf("%d %q %q, not %d %q %q", o.Status, gotVerdict, gotReason, status, verdict, reason)
	}
	if forwarded := verdict == "accepted"; forwarded != (len(o.arrived) == 1) {
		t.Errorf("%q reached %d applications", verdict, len(o.arrived))
	}
}

// refused asserts that a delivery was rejected and not forwarded.
func (o outcome) refused(t *testing.T, reason string, explained bool) {
	t.Helper()
	o.is(t, harness.StatusOf(reason), "rejected", reason)
	want := ""
	if explained {
		want = "rejected " + reason
	}
	if string(o.Body) != want {
		t.Errorf("the sender of %q reads %q, not %q", reason, o.Body, want)
	}
}

// delivery returns a provider's delivery to the path that all examples use.
func (s *staged) delivery(p harness.Provider, body string) harness.Delivery {
	return p.Deliver(body).To("/" + p.Name + "?token=" + queryToken)
}

// use runs the tests that every example must pass.
func (s *staged) use(t *testing.T, p harness.Provider) {
	t.Helper()
	sample := exampleBodies[p.Name]
	d := s.delivery(p, sample.body)

	s.step(t, d.Saying([]byte(sample.body+" "))).refused(t, "signature_mismatch", s.explains)
	s.step(t, d.Without(p.Signature)).refused(t, "missing_signature", s.explains)
	for _, path := range []string{"/", "/elsewhere", "/" + p.Name + "/", "/" + p.Name + "/elsewhere"} {
		s.step(t, d.To(path+"?token="+queryToken)).is(t, http.StatusNotFound, "", "")
	}

	first := s.step(t, d)
	first.is(t, http.StatusOK, "accepted", "")
	for _, requests := range first.arrived {
		got := requests[0].Header
		for name, want := range sample.headers {
			if got.Get(name) != want {
				t.Errorf("%s is %q, not %q", name, got.Get(name), want)
			}
		}
		if got.Get("Webhook-Verdict") != "accepted" || got.Get("Webhook-Provider") != p.Name {
			t.Errorf("verdict %q of %q", got.Get("Webhook-Verdict"), got.Get("Webhook-Provider"))
		}
		if id := got.Get("Webhook-Id"); id == "" || id != first.logged.Text("webhook_id") {
			t.Errorf("the id is %q, in the log %q", id, first.logged.Text("webhook_id"))
		}
	}
	s.step(t, d).is(t, http.StatusOK, "duplicate", "duplicate")
}

// useBundledApplication sends to the example's own application the requests
// that the recording one received.
func useBundledApplication(t *testing.T, s *staged) {
	for _, r := range s.running[s.apps[0]].All() {
		shown := harness.Delivery{Method: r.Method, Path: r.URI, Body: r.Body}
		for name, values := range r.Header {
			shown = shown.Plus(name, values[0])
		}
		a := (&harness.Gateway{Addr: s.alsoAddr}).Send(t, shown)
		want := []string{fmt.Sprintf(" %d bytes ", len(r.Body))}
		for _, h := range shown.Headers {
			if strings.HasPrefix(h.Name, "Webhook-") {
				want = append(want, h.Name+": "+h.Value+"\n")
			}
		}
		for _, text := range want {
			if a.Status != http.StatusOK || !strings.Contains(string(a.Body), text) {
				t.Errorf("the application answers %d %q without %q", a.Status, a.Body, text)
			}
		}
	}
}

// checkApplication checks the configuration that stands in for the application
// in the sidecar's containers. Their own test runs it.
func checkApplication(t *testing.T, s *staged) {
	const path = "../examples/sidecar/application/Caddyfile"
	s.text = contents(t, path)
	s.checkCommands(t, path)
}

// useTolerance enables the option that the example has in a comment.
func useTolerance(t *testing.T, s *staged) {
	s.start(t, "# tolerance 24h", "tolerance 24h")
	now := time.Now()
	at := func(at time.Time) harness.Delivery {
		return harness.Easytools(`{"timestamp":` + harness.Unix(at) + `}`).To("/easytools?token=" + queryToken)
	}
	s.step(t, at(now.Add(-25*time.Hour))).refused(t, "stale", false)
	s.step(t, at(now.Add(-23*time.Hour))).is(t, http.StatusOK, "accepted", "")
}

func useOtherOccurrence(t *testing.T, s *staged) {
	d := harness.McEasy(`{"trip":1}`, time.Now(), "6", "48214").To("/mceasy?token=" + queryToken)
	s.step(t, d).is(t, http.StatusOK, "accepted", "")
	s.step(t, d.With("X-McEasyWebhook-Occurrence-ID", "1")).refused(t, "conflict", false)
}

func useOtherEvent(t *testing.T, s *staged) {
	d := harness.CraneOps(`{"crane":1}`).To("/craneops?token=" + queryToken)
	s.step(t, d).is(t, http.StatusOK, "accepted", "")
	s.step(t, d.With("X-CraneOps-Event", "booking.deleted")).refused(t, "conflict", false)
}

// useRetries tests Cryptr's retries: late ones, and those after the application
// was down or slow.
func useRetries(t *testing.T, s *staged) {
	event := func(body string, age time.Duration) harness.Delivery {
		return harness.Cryptr(body, time.Now().Add(-age)).To("/cryptr?token=" + queryToken)
	}
	s.step(t, event(`{"age":"3h40m"}`, 3*time.Hour+40*time.Minute)).is(t, http.StatusOK, "accepted", "")
	s.step(t, event(`{"age":"5h"}`, 5*time.Hour)).refused(t, "stale", false)

	down := event(`{"app":"down"}`, 0)
	s.running[hooksApp].Answers(harness.HangUp)
	o := s.step(t, down)
	o.is(t, http.StatusServiceUnavailable, "accepted", "no_answer")
	o.retriedAfter(t, "60")
	s.running[hooksApp].Answers(harness.Status(http.StatusOK))
	s.step(t, down).is(t, http.StatusOK, "accepted", "")

	s.start(t, "answer_within 10s", "answer_within 100ms")
	release := make(chan struct{})
	defer close(release)
	s.running[hooksApp].Answers(harness.Until(release, http.StatusOK))
	o = s.step(t, event(`{"app":"slow"}`, 0))
	o.is(t, http.StatusServiceUnavailable, "accepted", "no_answer")
	o.retriedAfter(t, "60")
}

func (o outcome) retriedAfter(t *testing.T, seconds string) {
	t.Helper()
	if got := o.Header.Get("Retry-After"); got != seconds {
		t.Errorf("Retry-After is %q, not %s", got, seconds)
	}
}

// useReason reads the answer first as an outsider, as the common steps do, and
// then as an operator.
func useReason(t *testing.T, s *staged) {
	down := harness.Easytools(`{"app":"down"}`).To("/easytools?token=" + queryToken)
	s.running[hooksApp].Answers(harness.HangUp)
	o := s.step(t, down)
	o.is(t, http.StatusBadGateway, "accepted", "no_answer")
	if len(o.Body) > 0 {
		t.Errorf("an outsider reads %q", o.Body)
	}
	s.start(t, "10.20.0.0/16", "127.0.0.1/32")
	s.step(t, down.Without("X-Webhook-Signature")).refused(t, "missing_signature", true)
	s.step(t, down.Saying(nil)).refused(t, "signature_mismatch", true)
	s.running[hooksApp].Answers(harness.HangUp)
	o = s.step(t, down)
	o.is(t, http.StatusBadGateway, "accepted", "no_answer")
	if got := strings.TrimSpace(string(o.Body)); got != "accepted no_answer" {
		t.Errorf("an operator reads %q", got)
	}
}

// useFileAfterKill ends the gateway as a crash would and starts it again.
func useFileAfterKill(t *testing.T, s *staged) {
	s.Kill(t)
	s.Gateway = s.Restart(t)
	log := s.Log
	t.Cleanup(func() { s.inspectLog(t, log) })
	for _, p := range harness.Providers() {
		if slices.Contains(s.providers, p.Name) {
			s.step(t, s.delivery(p, exampleBodies[p.Name].body)).is(t, http.StatusOK, "duplicate", "duplicate")
			s.step(t, s.delivery(p, `{"after the crash":1}`).With("X-McEasyWebhook-Occurrence-ID", "48214")).is(t, http.StatusOK, "accepted", "")
		}
	}
}

// useInbox kills the gateway while the application is down.
func useInbox(t *testing.T, s *staged) {
	app := s.running[hooksApp]
	app.Answers(harness.HangUp)
	d := harness.CraneOps(`{"application":"down"}`).To("/craneops?token=" + queryToken)
	s.step(t, d).is(t, http.StatusOK, "accepted", "")
	awaitInbox(t, s.Gateway, 1)
	s.Kill(t)
	app.Answers(harness.Status(http.StatusOK))
	before := len(app.All())
	s.Gateway = s.Restart(t)
	log := s.Log
	t.Cleanup(func() { s.inspectLog(t, log) })
	awaitInbox(t, s.Gateway, 0)
	if all := app.All()[before:]; len(all) != 1 || string(all[0].Body) != string(d.Body) || all[0].Header.Get("Webhook-Attempt") == "" {
		t.Errorf("handed over %+v", all)
	}
	s.step(t, d).is(t, http.StatusOK, "duplicate", "duplicate")
	useProbes(t, s)
}

// useProbes checks the endpoints for the health probe and the metrics.
func useProbes(t *testing.T, s *staged) {
	g := &harness.Gateway{Addr: s.alsoAddr}
	if a := g.Send(t, harness.Delivery{Method: "GET", Path: "/health"}); a.Status != http.StatusOK {
		t.Errorf("the probe is answered %d", a.Status)
	}
	if a := g.Send(t, harness.Delivery{Method: "GET", Path: "/metrics"}); !strings.Contains(string(a.Body), "caddy_verify_webhook_requests_total") {
		t.Errorf("the metrics are answered %d:\n%s", a.Status, a.Body)
	}
	if a := s.Send(t, harness.Delivery{Method: "GET", Path: "/health"}); a.Status != http.StatusNotFound {
		t.Errorf("the site of the hooks answers the probe %d", a.Status)
	}
}

// useTwoWithRedis starts a second gateway, which knows the deliveries of the
// first one, and takes Redis away.
func useTwoWithRedis(t *testing.T, s *staged) {
	second := &staged{example: s.example, text: s.text, secretDir: s.secretDir, redis: s.redis}
	second.start(t)
	for _, p := range harness.Providers() {
		if slices.Contains(s.providers, p.Name) {
			second.step(t, s.delivery(p, exampleBodies[p.Name].body)).is(t, http.StatusOK, "duplicate", "duplicate")
		}
	}
	s.redis.kill(t)
	d := harness.CraneOps(`{"redis":"away"}`).To("/craneops?token=" + queryToken)
	o := second.step(t, d)
	o.refused(t, "store_unavailable", false)
	o.retriedAfter(t, "10")
	s.redis.start(t)
	harness.Poll(t, "Redis to be back", func() bool { return second.step(t, d).Status == http.StatusOK })
	s.step(t, d).is(t, http.StatusOK, "duplicate", "duplicate")
}

// useEvents checks that every event reaches the application that it is meant
// for.
func useEvents(t *testing.T, s *staged) {
	for body, app := range map[string]string{
		cryptrEvent("dir_sync.user.provision.success"): "onboarding:3000",
		cryptrEvent("dir_sync.user.provision.fail"):    "directory:3000",
		cryptrEvent("sso_saml.all"):                    hooksApp,
		cryptrEvent("not.dir_sync.user"):               hooksApp,
		`no JSON`:                                      hooksApp,
	} {
		o := s.step(t, harness.Cryptr(body, time.Now()).To("/cryptr?token="+queryToken))
		o.is(t, http.StatusOK, "accepted", "")
		if o.arrived[app] == nil {
			t.Errorf("%s did not reach %s", body, app)
		}
	}
}

// useRotation goes one step further: the new secret becomes the old one.
func useRotation(t *testing.T, s *staged) {
	signed := func(secret, body string) harness.Delivery {
		return harness.CraneOps(body).To("/craneops?token="+queryToken).With("X-CraneOps-Signature", harness.HexMAC(secret, body))
	}
	matches := func(d harness.Delivery, key string) {
		t.Helper()
		o := s.step(t, d)
		o.is(t, http.StatusOK, "accepted", "")
		if got := o.logged.Text("webhook_key"); got != key {
			t.Errorf("the log has the key %q, not %s", got, key)
		}
	}
	matches(signed(harness.CraneOpsSecret, "1"), "1")
	matches(signed(oldCraneopsSecret, "2"), "2")
	s.step(t, signed(nextCraneopsSecret, "3")).refused(t, "signature_mismatch", false)

	s.writeSecret(t, "craneops-old", harness.CraneOpsSecret)
	s.writeSecret(t, "craneops-new", nextCraneopsSecret)
	said, err := s.Command("reload", "--force", "--config", s.Config, "--address", s.Admin).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	s.reloaded = true
	matches(signed(nextCraneopsSecret, "3"), "1")
	matches(signed(harness.CraneOpsSecret, "4"), "2")
	s.step(t, signed(oldCraneopsSecret, "5")).refused(t, "signature_mismatch", false)
	s.step(t, signed(nextCraneopsSecret, "2")).is(t, http.StatusOK, "duplicate", "duplicate")
}

// inspectLog fails if the log contains values that the filter must remove.
func (s *staged) inspectLog(t *testing.T, log *harness.LogBook) {
	forbidden := canaries()
	for _, d := range s.sent {
		for _, p := range append(harness.Providers(), acmeProvider) {
			// The end of the value is part of the MAC, whatever comes before
			// it.
			if signature := d.Get(p.Signature); signature != "" {
				forbidden = append(forbidden, signature[len(signature)-20:])
			}
		}
	}
	holdsNone(t, "the log has", log.String(), forbidden)
}

// canaries are the values that no output may contain.
func canaries() []string {
	list := []string{acmeSecret, queryToken, oldCraneopsSecret, nextCraneopsSecret, redisPassword}
	for _, p := range harness.Providers() {
		list = append(list, harness.SecretOf(p.Name))
	}
	return list
}

func holdsNone(t *testing.T, what, text string, forbidden []string) {
	t.Helper()
	for _, f := range forbidden {
		if strings.Contains(text, f) {
			t.Errorf("%s %q", what, f)
		}
	}
}
