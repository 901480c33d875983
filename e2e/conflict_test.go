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
)

// The signatures below are written down, and made with this key. It is a
// letter that every log has, so it is no canary.
const conflictKey = "CONFLICT_KEY=s"

// githubDelivery is one of two apps, or of two webhooks, on one URL.
func githubDelivery(path, event, id, body, signature string) delivery {
	return delivery{method: http.MethodPost, path: path, body: []byte(body), headers: []header{
		{"Content-Type", "application/json"},
		{"X-GitHub-Event", event},
		{"X-GitHub-Delivery", id},
		{"X-Hub-Signature-256", "sha256=" + signature},
	}}
}

// twoApps are deliveries of one id, as GitHub sends them to two apps on one URL.
func twoApps(path string) []delivery {
	return []delivery{
		githubDelivery(path, "issues", "same", `{"action":"opened","installation":{"id":1}}`, "96199ad24abe0422b256bab7e2e84759931e876771def37c3fc3442972f75d86"),
		githubDelivery(path, "issues", "same", `{"action":"opened","installation":{"id":2}}`, "d0d939e59d2e0364975eb4990a491d796eda757bffd7504d5ce8d8495304ad97"),
	}
}

// oneBody is what both an organization's webhook and a repository's send, each
// under an id of its own.
func oneBody(path, event, id string) delivery {
	return githubDelivery(path, event, id, `{"action":"closed"}`, "4afb5a588421e4363d83d126e0b62b28b079bb60c85143f0ba0db6ea4fec25fe")
}

// twilioForm has the fields A=1 and B=2.
func twilioForm(path string) delivery {
	h := hmac.New(sha1.New, []byte("12345"))
	h.Write([]byte("https://example.com" + path + "A1B2"))
	return delivery{method: http.MethodPost, path: path, body: []byte("A=1&B=2"), headers: []header{
		{"Content-Type", "application/x-www-form-urlencoded"},
		{"X-Twilio-Signature", base64.StdEncoding.EncodeToString(h.Sum(nil))},
		{"I-Twilio-Idempotency-Token", "t1"},
	}}
}

func acknowledgedConflict(t *testing.T, a answer) {
	t.Helper()
	a.is(t, http.StatusOK, "duplicate", "conflict")
	if len(a.body) > 0 {
		t.Errorf("the answer has the body %q", a.body)
	}
}

// histories are the ways to keep one; each test of conflicts runs with all.
func histories(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"memory": "replay memory",
		"file":   replayFile(filepath.Join(t.TempDir(), "history.db")),
		"redis":  "replay redis {env.REDIS_URL_SECRET} {\n" + busy + "\n}",
	}
}

// TestConflicts: what is not signed never keeps new content from the
// application; for delivered content the scheme or the operator decides.
func TestConflicts(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
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
				variable = secretVariable(scheme)
			case "twilio":
				variable = "TWILIO_KEY"
			}
			verified := append([]string{"provider " + label, history}, options...)
			routes = append(routes, route("/"+label, verify(scheme, variable, verified...), "reverse_proxy "+app.addr))
		}
	}
	g := start(t, openSite(routes...), slices.Concat(secrets(), redisEnv(startRedis(t).url()), []string{conflictKey, "TWILIO_KEY=12345"})...)
	now := time.Now()

	for store := range stores {
		at := func(name string) string { return "/" + name + "-" + store }
		apps := twoApps(at("github"))
		crane := craneops(`{"conflict":1}`).to(at("craneops-ack"))
		easy := mceasy(`{"conflict":1}`, now, "6", "job-1").to(at("mceasy"))
		easyAck := easy.to(at("mceasy-ack"))
		form, formAck := twilioForm(at("twilio")), twilioForm(at("twilio-ack"))
		const token = "I-Twilio-Idempotency-Token"
		order := delivery{method: http.MethodPost, path: at("shopify"), body: []byte(`{"action":"closed"}`), headers: []header{
			{"X-Shopify-Hmac-Sha256", "SvtaWIQh5DY9g9Em4LYrKLB5u2DIUUPwug226k/sJf4="}, // oneBody's, in base64
			{"X-Shopify-Topic", "orders/create"},
			{"X-Shopify-Webhook-Id", "1"},
		}}
		for _, s := range []struct {
			name string
			sent delivery
			want func(*testing.T, answer)
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
			{"ack: another event type", crane.with("X-CraneOps-Event", "other"), acknowledgedConflict},
			{"ack: no event type", crane.without("X-CraneOps-Event"), acknowledgedConflict},

			{"mceasy", easy, accepted},
			{"mceasy: another occurrence", easy.with("X-McEasyWebhook-Occurrence-ID", "job-2"), conflict},
			{"mceasy: other content under it", mceasy(`{"conflict":2}`, now, "6", "job-1").to(at("mceasy")), conflict},
			{"ack: mceasy", easyAck, accepted},
			{"ack: another occurrence", easyAck.with("X-McEasyWebhook-Occurrence-ID", "job-2"), acknowledgedConflict},
			{"ack: other content under it", mceasy(`{"conflict":2}`, now, "6", "job-1").to(at("mceasy-ack")), conflict},

			{"twilio", form, accepted},
			{"twilio: cut otherwise", form.saying([]byte("A1=B2")), conflict},
			{"twilio: cut otherwise, another token", form.saying([]byte("A1=B2")).with(token, "t2"), conflict},
			{"twilio: another token", form.with(token, "t2"), accepted},
			{"twilio: its retry", form.with(token, "t2"), duplicate},
			{"twilio: cut otherwise, that token", form.saying([]byte("A1=B2")).with(token, "t2"), conflict},
			{"ack: twilio", formAck, accepted},
			{"ack: another token", formAck.with(token, "t2"), acknowledgedConflict},
			{"ack: cut otherwise", formAck.saying([]byte("A1=B2")), conflict},

			{"shopify", order, accepted},
			{"shopify: another topic", order.with("X-Shopify-Topic", "orders/paid").with("X-Shopify-Webhook-Id", "2"), accepted},
			{"shopify: its retry", order.with("X-Shopify-Topic", "orders/paid").with("X-Shopify-Webhook-Id", "2"), duplicate},
		} {
			t.Run(store+"/"+s.name, func(t *testing.T) {
				before := app.arrivals()
				a := g.send(t, s.sent)
				s.want(t, a)
				forwarded := 0
				if a.verdict() == "accepted" {
					forwarded = 1
				}
				app.saw(t, before+forwarded)
			})
		}
		label := "github-" + store
		g.log.await(t, "the warning of the acknowledged conflict", func(e entry) bool {
			return e.text("level") == "warn" && e.text("provider") == label && e.text("reason") == "conflict"
		})
		if got := metricsOf(t, g.admin).requests(label, "duplicate", "conflict"); got != 2 {
			t.Errorf("%s: %v acknowledged conflicts are counted, not 2", store, got)
		}
	}
	for _, choice := range []string{
		"on_conflict ack (the default of github)", "on_conflict forward (the default of shopify)", "on_conflict forward (the default of twilio)",
	} {
		g.log.await(t, choice, func(e entry) bool {
			choices, _ := e["choices"].([]any)
			return slices.Contains(choices, any(choice))
		})
	}
}

// TestOneIDInFlightTwice: two deliveries of one id are at the application at
// once, which answers neither before it has both.
func TestOneIDInFlightTwice(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	var routes []string
	stores := histories(t)
	for store, history := range stores {
		routes = append(routes, route("/"+store, verify("github", "CONFLICT_KEY", "provider "+store, history), "reverse_proxy "+app.addr))
	}
	g := start(t, openSite(routes...), slices.Concat(redisEnv(startRedis(t).url()), []string{conflictKey})...)
	for store := range stores {
		t.Run(store, func(t *testing.T) {
			before := app.arrivals()
			release := make(chan struct{})
			app.answers(until(release, http.StatusOK))
			answers := make(chan answer, 2)
			for _, d := range twoApps("/" + store) {
				go func() {
					a, err := sendGo(t, g, d)
					if err != nil {
						t.Error(err)
					}
					answers <- a
				}()
			}
			app.awaitArrivals(t, before+2)
			close(release)
			for range 2 {
				(<-answers).accepted(t)
			}
			app.saw(t, before+2)
		})
	}
}
