package e2e

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// The signatures below are fixed, and made with this key. The key is a letter
// that occurs in every log, so it cannot be a canary.
const conflictKey = "CONFLICT_KEY=s"

// githubDelivery returns a delivery of one of two apps, or of two webhooks, on
// one URL.
func githubDelivery(path, event, id, body, signature string) harness.Delivery {
	return harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte(body), Headers: []harness.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "X-GitHub-Event", Value: event},
		{Name: "X-GitHub-Delivery", Value: id},
		{Name: "X-Hub-Signature-256", Value: "sha256=" + signature},
	}}
}

// twoApps returns deliveries with one id, as GitHub sends them to two apps on
// one URL.
func twoApps(path string) []harness.Delivery {
	return []harness.Delivery{
		githubDelivery(path, "issues", "same", `{"action":"opened","installation":{"id":1}}`, "96199ad24abe0422b256bab7e2e84759931e876771def37c3fc3442972f75d86"),
		githubDelivery(path, "issues", "same", `{"action":"opened","installation":{"id":2}}`, "d0d939e59d2e0364975eb4990a491d796eda757bffd7504d5ce8d8495304ad97"),
	}
}

// oneBody returns a delivery that an organization's and a repository's webhook
// both send, each with its own id.
func oneBody(path, event, id string) harness.Delivery {
	return githubDelivery(path, event, id, `{"action":"closed"}`, "4afb5a588421e4363d83d126e0b62b28b079bb60c85143f0ba0db6ea4fec25fe")
}

// twilioForm returns a delivery with the fields A=1 and B=2.
func twilioForm(path string) harness.Delivery {
	h := hmac.New(sha1.New, []byte("12345"))
	h.Write([]byte("https://example.com" + path + "A1B2"))
	return harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte("A=1&B=2"), Headers: []harness.Header{
		{Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
		{Name: "X-Twilio-Signature", Value: base64.StdEncoding.EncodeToString(h.Sum(nil))},
		{Name: "I-Twilio-Idempotency-Token", Value: "t1"},
	}}
}

func acknowledgedConflict(t *testing.T, a harness.Answer) {
	t.Helper()
	a.Is(t, http.StatusOK, "duplicate", "conflict")
	if len(a.Body) > 0 {
		t.Errorf("the answer has the body %q", a.Body)
	}
}

// histories returns the options for each store. Each test of conflicts runs
// with all of them.
func histories(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"memory": "replay memory",
		"file":   replayFile(filepath.Join(t.TempDir(), "history.db")),
		"redis":  "replay redis {env.REDIS_URL_SECRET} {\n" + busy + "\n}",
	}
}

// TestConflicts: unsigned values never keep new content from the application.
// For delivered content the scheme or the operator decides.
func TestConflicts(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	var routes []string
	stores := histories(t)
	for store, history := range stores {
		for name, options := range map[string][]string{
			"github":         nil,
			"github-reject":  {"on_conflict reject"},
			"github-forward": {"on_conflict forward"},
			"craneops-ack":   {"on_conflict ack"},
			"mceasy":         nil,
			"mceasy-ack":     {"on_conflict ack"},
			"twilio":         {"public_url https://example.com"},
			"twilio-ack":     {"public_url https://example.com", "on_conflict ack"},
			"shopify":        nil,
		} {
			scheme, _, _ := strings.Cut(name, "-")
			label := name + "-" + store
			variable := "CONFLICT_KEY"
			switch scheme {
			case "craneops", "mceasy":
				variable = harness.SecretVariable(scheme)
			case "twilio":
				variable = "TWILIO_KEY"
			}
			verified := append([]string{"provider " + label, history}, options...)
			routes = append(routes, harness.Route("/"+label, harness.Verify(scheme, variable, verified...), "reverse_proxy "+app.Addr))
		}
	}
	g := harness.Start(t, harness.OpenSite(routes...), slices.Concat(harness.Secrets(), redisEnv(startRedis(t).url()), []string{conflictKey, "TWILIO_KEY=12345"})...)
	now := time.Now()

	for store := range stores {
		at := func(name string) string { return "/" + name + "-" + store }
		apps := twoApps(at("github"))
		crane := harness.CraneOps(`{"conflict":1}`).To(at("craneops-ack"))
		easy := harness.McEasy(`{"conflict":1}`, now, "6", "job-1").To(at("mceasy"))
		easyAck := easy.To(at("mceasy-ack"))
		form, formAck := twilioForm(at("twilio")), twilioForm(at("twilio-ack"))
		const token = "I-Twilio-Idempotency-Token"
		order := harness.Delivery{Method: http.MethodPost, Path: at("shopify"), Body: []byte(`{"action":"closed"}`), Headers: []harness.Header{
			{Name: "X-Shopify-Hmac-Sha256", Value: "SvtaWIQh5DY9g9Em4LYrKLB5u2DIUUPwug226k/sJf4="}, // oneBody's, in base64
			{Name: "X-Shopify-Topic", Value: "orders/create"},
			{Name: "X-Shopify-Webhook-Id", Value: "1"},
		}}
		for _, s := range []struct {
			name string
			sent harness.Delivery
			want func(*testing.T, harness.Answer)
		}{
			{"one app", apps[0], accepted},
			{"another app, the same id", apps[1], accepted},
			{"redelivered", apps[0], duplicate},
			{"the other one redelivered", apps[1], duplicate},

			{"one webhook", oneBody(at("github"), "issues", "A"), accepted},
			{"another webhook, the same body", oneBody(at("github"), "issues", "B"), acknowledgedConflict},
			{"another event type", oneBody(at("github"), "pull_request", "A"), acknowledgedConflict},
			{"the first one redelivered", oneBody(at("github"), "issues", "A"), duplicate},

			{"reject: one webhook", oneBody(at("github-reject"), "issues", "A"), accepted},
			{"reject: another webhook", oneBody(at("github-reject"), "issues", "B"), conflict},

			{"forward: one webhook", oneBody(at("github-forward"), "issues", "A"), accepted},
			{"forward: another webhook", oneBody(at("github-forward"), "issues", "B"), accepted},
			{"forward: the other one redelivered", oneBody(at("github-forward"), "issues", "B"), duplicate},

			{"ack: craneops", crane, accepted},
			{"ack: another event type", crane.With("X-CraneOps-Event", "other"), acknowledgedConflict},
			{"ack: no event type", crane.Without("X-CraneOps-Event"), acknowledgedConflict},

			{"mceasy", easy, accepted},
			{"mceasy: another occurrence", easy.With("X-McEasyWebhook-Occurrence-ID", "job-2"), conflict},
			{"mceasy: other content under it", harness.McEasy(`{"conflict":2}`, now, "6", "job-1").To(at("mceasy")), conflict},
			{"ack: mceasy", easyAck, accepted},
			{"ack: another occurrence", easyAck.With("X-McEasyWebhook-Occurrence-ID", "job-2"), acknowledgedConflict},
			{"ack: other content under it", harness.McEasy(`{"conflict":2}`, now, "6", "job-1").To(at("mceasy-ack")), conflict},

			{"twilio", form, accepted},
			{"twilio: cut otherwise", form.Saying([]byte("A1=B2")), conflict},
			{"twilio: cut otherwise, another token", form.Saying([]byte("A1=B2")).With(token, "t2"), conflict},
			{"twilio: another token", form.With(token, "t2"), accepted},
			{"twilio: its retry", form.With(token, "t2"), duplicate},
			{"twilio: cut otherwise, that token", form.Saying([]byte("A1=B2")).With(token, "t2"), conflict},
			{"ack: twilio", formAck, accepted},
			{"ack: another token", formAck.With(token, "t2"), acknowledgedConflict},
			{"ack: cut otherwise", formAck.Saying([]byte("A1=B2")), conflict},

			{"shopify", order, accepted},
			{"shopify: another topic", order.With("X-Shopify-Topic", "orders/paid").With("X-Shopify-Webhook-Id", "2"), accepted},
			{"shopify: its retry", order.With("X-Shopify-Topic", "orders/paid").With("X-Shopify-Webhook-Id", "2"), duplicate},
		} {
			t.Run(store+"/"+s.name, func(t *testing.T) {
				before := app.Arrivals()
				a := g.Send(t, s.sent)
				s.want(t, a)
				forwarded := 0
				if a.Verdict() == "accepted" {
					forwarded = 1
				}
				app.Saw(t, before+forwarded)
			})
		}
		label := "github-" + store
		g.Log.Await(t, "the warning of the acknowledged conflict", func(e harness.Entry) bool {
			return e.Text("level") == "warn" && e.Text("provider") == label && e.Text("reason") == "conflict"
		})
		if got := harness.MetricsOf(t, g.Admin).Requests(label, "duplicate", "conflict"); got != 2 {
			t.Errorf("%s: %v acknowledged conflicts are counted, not 2", store, got)
		}
	}
	for _, choice := range []string{
		"on_conflict ack (the default of github)", "on_conflict forward (the default of shopify)", "on_conflict forward (the default of twilio)",
	} {
		g.Log.Await(t, choice, func(e harness.Entry) bool {
			choices, _ := e["choices"].([]any)
			return slices.Contains(choices, any(choice))
		})
	}
}

// TestOneIDInFlightTwice: two deliveries with one id are at the application at
// the same time. It answers neither before it has both.
func TestOneIDInFlightTwice(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	var routes []string
	stores := histories(t)
	for store, history := range stores {
		routes = append(routes, harness.Route("/"+store, harness.Verify("github", "CONFLICT_KEY", "provider "+store, history), "reverse_proxy "+app.Addr))
	}
	g := harness.Start(t, harness.OpenSite(routes...), slices.Concat(redisEnv(startRedis(t).url()), []string{conflictKey})...)
	for store := range stores {
		t.Run(store, func(t *testing.T) {
			before := app.Arrivals()
			release := make(chan struct{})
			app.Answers(harness.Until(release, http.StatusOK))
			answers := make(chan harness.Answer, 2)
			for _, d := range twoApps("/" + store) {
				go func() {
					a, err := harness.SendGo(t, g, d)
					if err != nil {
						t.Error(err)
					}
					answers <- a
				}()
			}
			app.AwaitArrivals(t, before+2)
			close(release)
			for range 2 {
				(<-answers).Accepted(t)
			}
			app.Saw(t, before+2)
		})
	}
}
