package module

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hooklatch/hooklatch/schemes"
)

// github signs a body as GitHub does, with an unsigned event type and id.
func github(event, id, body string) http.Header {
	return http.Header{
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(macUnder([]byte(testSecret), body))},
		"X-Github-Event":      {event},
		"X-Github-Delivery":   {id},
	}
}

func shopify(topic, id, body string) http.Header {
	return http.Header{
		"X-Shopify-Hmac-Sha256": {base64.StdEncoding.EncodeToString(macUnder([]byte(testSecret), body))},
		"X-Shopify-Topic":       {topic},
		"X-Shopify-Webhook-Id":  {id},
	}
}

// twilio signs the joined fields of a form as Twilio does, for the path of
// gateway.request.
func twilio(g *gateway, token, joined string) http.Header {
	m := hmac.New(sha1.New, []byte(testSecret))
	m.Write([]byte(g.URL + "/hook?token=1" + joined))
	h := http.Header{
		"Content-Type":       {"application/x-www-form-urlencoded"},
		"X-Twilio-Signature": {base64.StdEncoding.EncodeToString(m.Sum(nil))},
	}
	if token != "" {
		h.Set("I-Twilio-Idempotency-Token", token)
	}
	return h
}

// warnings returns the reasons of the warnings that the gateway logged.
func (g *gateway) warnings() []string {
	var reasons []string
	for _, entry := range g.logs.All() {
		if entry.Level == zapcore.WarnLevel {
			reasons = append(reasons, fmt.Sprint(entry.ContextMap()["reason"]))
		}
	}
	return reasons
}

// expectIDs checks that each delivery has a Webhook-Id of its own.
func (g *gateway) expectIDs(t *testing.T, n int) {
	t.Helper()
	ids := map[string]bool{}
	for _, d := range g.delivered() {
		ids[d.header.Get("Webhook-Id")] = true
	}
	if len(ids) != n {
		t.Errorf("%d ids for %d events: %v", len(ids), n, ids)
	}
}

// TestUnsignedIDsDenyNothing checks that new content under a known id is
// delivered. Only McEasy documents its id as unique, see
// TestReplaysThatChangeWhatIsNotSigned.
func TestUnsignedIDsDenyNothing(t *testing.T) {
	linear := func(body string) http.Header {
		signature := hex.EncodeToString(macUnder([]byte(testSecret), body))
		return http.Header{"Linear-Signature": {signature}, "Linear-Delivery": {"same"}}
	}
	for scheme, sign := range map[string]func(body string) http.Header{
		"github":  func(body string) http.Header { return github("issues", "same", body) },
		"shopify": func(body string) http.Header { return shopify("orders/create", "same", body) },
		"linear":  linear,
	} {
		t.Run(scheme, func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": scheme}, nil)
			g.walk(t, []step{
				{"first", sign(body), body, 204, ""},
				{"other content under its id", sign(other), other, 204, ""},
				{"the first one's retry", sign(body), body, 200, ""},
				{"the other one's retry", sign(other), other, 200, ""},
			})
			g.expectDelivered(t, body, other)
		})
	}
	t.Run("twilio", func(t *testing.T) {
		g := newGateway(t, map[string]any{"scheme": "twilio"}, nil)
		g.walk(t, []step{
			{"first", twilio(g, "same", "A1"), "A=1", 204, ""},
			{"other content under its token", twilio(g, "same", "A2"), "A=2", 204, ""},
		})
		g.expectDelivered(t, "A=1", "A=2")
	})
}

// TestOneIDInFlightTwice sends two deliveries with one id to the application at
// once: neither is answered before both have arrived.
func TestOneIDInFlightTwice(t *testing.T) {
	var both sync.WaitGroup
	both.Add(2)
	g := newGateway(t, map[string]any{"scheme": "github"}, func(w http.ResponseWriter, _ *http.Request) error {
		both.Done()
		both.Wait()
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	answers := make(chan answerOf, 2)
	for _, text := range []string{body, other} {
		r := g.request(t, github("issues", "same", text), strings.NewReader(text))
		go func() {
			a, err := g.try(r)
			if err != nil {
				t.Error(err)
			}
			if a.status != http.StatusNoContent {
				both.Done() // it did not arrive, so the other one must not wait
			}
			answers <- a
		}()
	}
	for range 2 {
		expect(t, <-answers, http.StatusNoContent, "")
	}
	if got := g.delivered(); len(got) != 2 {
		t.Errorf("%d deliveries reached the application, want 2", len(got))
	}
}

// TestOnConflictAck checks that delivered content with other unsigned values is
// acknowledged with a warning, and that content that was never delivered is not
// acknowledged.
func TestOnConflictAck(t *testing.T) {
	at := testTime
	for name, c := range map[string]struct {
		options map[string]any
		steps   []step
		reasons []string
		bodies  []string
	}{
		"github by default": {
			map[string]any{"scheme": "github"},
			[]step{
				{"first", github("issues", "A", body), body, 204, ""},
				{"another hook's", github("issues", "B", body), body, 200, ""},
				{"another event type", github("pull_request", "A", body), body, 200, ""},
				{"redelivered", github("issues", "A", body), body, 200, ""},
			},
			[]string{"conflict", "conflict"},
			[]string{body},
		},
		"github with on_duplicate reject": {
			map[string]any{"scheme": "github", "on_duplicate": "reject"},
			[]step{
				{"first", github("issues", "A", body), body, 204, ""},
				{"another hook's", github("issues", "B", body), body, 200, ""},
				{"redelivered", github("issues", "A", body), body, 409, "duplicate duplicate"},
			},
			[]string{"conflict"},
			[]string{body},
		},
		"github with on_conflict reject": {
			map[string]any{"scheme": "github", "on_conflict": "reject"},
			[]step{
				{"first", github("issues", "A", body), body, 204, ""},
				{"another hook's", github("issues", "B", body), body, 409, "rejected conflict"},
			},
			[]string{"conflict"},
			[]string{body},
		},
		"craneops": {
			map[string]any{"on_conflict": "ack"},
			[]step{
				{"first", with(craneops(body), "X-Craneops-Event", "a"), body, 204, ""},
				{"another event type", with(craneops(body), "X-Craneops-Event", "b"), body, 200, ""},
				{"no event type", craneops(body), body, 200, ""},
			},
			[]string{"conflict", "conflict"},
			[]string{body},
		},
		"mceasy, whose occurrence IDs are unique": {
			map[string]any{"scheme": "mceasy", "on_conflict": "ack"},
			[]step{
				{"first", mceasy(at, "6", "job-1", body), body, 204, ""},
				{"another occurrence", mceasy(at, "6", "job-2", body), body, 200, ""},
				{"other content under the first's", mceasy(at, "6", "job-1", other), other, 409, "rejected conflict"},
				{"which is not recorded", mceasy(at, "6", "job-3", other), other, 204, ""},
			},
			[]string{"conflict", "conflict"},
			[]string{body, other},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, c.options, nil)
			g.walk(t, c.steps)
			g.expectDelivered(t, c.bodies...)
			if got := g.warnings(); !slices.Equal(got, c.reasons) {
				t.Errorf("warnings %v, want %v", got, c.reasons)
			}
		})
	}
}

// TestAcknowledgedConflictShows checks that an acknowledged conflict is visible
// everywhere an operator looks.
func TestAcknowledgedConflictShows(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "github"}, nil)
	expect(t, g.send(t, github("issues", "A", body), body), http.StatusNoContent, "")
	expect(t, g.send(t, github("issues", "B", body), body), http.StatusOK, "")
	entry := g.logs.All()[0]
	if entry.Level != zapcore.WarnLevel || entry.Message != "delivery acknowledged and not forwarded: conflict" {
		t.Errorf("log %v", entry)
	}
	if got := g.delivered(); entry.ContextMap()["id"] != got[0].header.Get("Webhook-Id") {
		t.Errorf("the log has the id %v, the application got %v", entry.ContextMap()["id"], got[0].header["Webhook-Id"])
	}
	metrics := g.metrics(t)
	for series, want := range map[string]float64{
		`requests_total{reason="",verdict="accepted"}`:          1,
		`requests_total{reason="conflict",verdict="duplicate"}`: 1,
		`requests_total{reason="conflict",verdict="rejected"}`:  0,
	} {
		if metrics[series] != want {
			t.Errorf("%s is %v, want %v", series, metrics[series], want)
		}
	}
}

// TestObservedConflict checks that a conflict that would be acknowledged is
// passed on as a duplicate with observe.
func TestObservedConflict(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "github", "observe": true}, nil)
	expect(t, g.send(t, github("issues", "A", body), body), http.StatusNoContent, "")
	expect(t, g.send(t, github("issues", "B", body), body), http.StatusNoContent, "")
	g.expectDelivered(t, body, body)
	got := g.delivered()
	if verdict := got[1].header.Get("Webhook-Verdict"); verdict != "duplicate" {
		t.Errorf("Webhook-Verdict %q", verdict)
	}
	if got := g.warnings(); !slices.Equal(got, []string{"conflict"}) {
		t.Errorf("warnings %v", got)
	}
	if got := g.metrics(t)[`requests_total{reason="conflict",verdict="observed_duplicate"}`]; got != 1 {
		t.Errorf("counted %v", got)
	}
}

// TestShopifyForwards checks that one body under two topics is two events.
func TestShopifyForwards(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "shopify"}, nil)
	g.walk(t, []step{
		{"first", shopify("orders/create", "1", body), body, 204, ""},
		{"another topic", shopify("orders/paid", "2", body), body, 204, ""},
		{"the first one's retry", shopify("orders/create", "1", body), body, 200, ""},
		{"the other one's retry", shopify("orders/paid", "2", body), body, 200, ""},
	})
	g.expectDelivered(t, body, body)
	g.expectIDs(t, 2)
}

// TestTwilioConflicts checks that another token is another event, as the option
// says, and that another cut of a delivered text never is.
func TestTwilioConflicts(t *testing.T) {
	const form, joined, recut = "A=1&B=2", "A1B2", "A1=B2"
	for option, c := range map[string]struct {
		token     int // the status of the form under another token
		answer    string
		forwarded int
	}{
		"":        {204, "", 3},
		"forward": {204, "", 3},
		"ack":     {200, "", 1},
		"reject":  {409, "rejected conflict", 1},
	} {
		t.Run("on_conflict "+option, func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": "twilio", "on_conflict": option}, nil)
			again := 200
			if c.token == 409 {
				again = 409
			}
			g.walk(t, []step{
				{"first", twilio(g, "t1", joined), form, 204, ""},
				{"its retry", twilio(g, "t1", joined), form, 200, ""},
				{"cut otherwise", twilio(g, "t1", joined), recut, 409, "rejected conflict"},
				{"cut otherwise, another token", twilio(g, "t2", joined), recut, 409, "rejected conflict"},
				{"cut otherwise, no token", twilio(g, "", joined), recut, 409, "rejected conflict"},
				{"another token", twilio(g, "t2", joined), form, c.token, c.answer},
				{"its retry", twilio(g, "t2", joined), form, again, c.answer},
				{"cut otherwise, that token", twilio(g, "t2", joined), recut, 409, "rejected conflict"},
				{"no token", twilio(g, "", joined), form, c.token, c.answer},
				{"the first one's retry", twilio(g, "t1", joined), form, 200, ""},
			})
			g.expectIDs(t, c.forwarded)
			for _, d := range g.delivered() {
				if d.body != form {
					t.Errorf("the application received %q", d.body)
				}
			}
			if got := len(g.delivered()); got != c.forwarded {
				t.Errorf("%d deliveries reached the application, want %d", got, c.forwarded)
			}
			recuts := 0
			for _, entry := range g.logs.All() {
				if strings.Contains(fmt.Sprint(entry.ContextMap()["detail"]), "cut in another way") {
					recuts++
				}
			}
			if recuts != 4 {
				t.Errorf("the log explains %d other cuts, not 4", recuts)
			}
			// Rejected events and test reservations hold nothing.
			if n := g.metrics(t)[`replay_entries{store="memory"}`]; n != float64(1+c.forwarded) {
				t.Errorf("%v entries in the history for %d events and their cut", n, c.forwarded)
			}
		})
	}
}

// TestSchemesAnswerConflicts compares the defaults with the contract: a default
// weaker than reject is a decision for each scheme.
func TestSchemesAnswerConflicts(t *testing.T) {
	weaker := map[string]string{"github": "ack", "shopify": "forward", "twilio": "forward", "woocommerce": "forward"}
	for _, scheme := range schemes.All() {
		want := weaker[scheme.Name()]
		if want == "" {
			want = "reject"
		}
		h := &Handler{Scheme: scheme.Name()}
		h.setDefaults(scheme)
		if h.onConflict != want {
			t.Errorf("%s: on_conflict %s, want %s", scheme.Name(), h.onConflict, want)
		}
		h = &Handler{Scheme: scheme.Name(), OnConflict: "reject"}
		h.setDefaults(scheme)
		if h.onConflict != "reject" {
			t.Errorf("%s: on_conflict reject became %s", scheme.Name(), h.onConflict)
		}
		if unique := scheme.Name() == "mceasy" || scheme.Name() == "razorpay"; scheme.UniqueOccurrence() != unique {
			t.Errorf("%s: unique occurrence IDs %v, want %v", scheme.Name(), scheme.UniqueOccurrence(), unique)
		}
	}
}

// TestWeakerDefaultsAreNamed checks that the log line at startup distinguishes
// the operator's options from a scheme's defaults.
func TestWeakerDefaultsAreNamed(t *testing.T) {
	for _, c := range []struct{ scheme, option, want string }{
		{"github", "", "[on_conflict ack (the default of github)]"},
		{"shopify", "", "[on_conflict forward (the default of shopify)]"},
		{"twilio", "", "[on_conflict forward (the default of twilio)]"},
		{"github", "ack", "[on_conflict ack]"},
		{"github", "forward", "[on_conflict forward]"},
		{"github", "reject", ""},
		{"craneops", "", ""},
		{"dropbox", "", "[replay off (the default of dropbox)]"},
		{"elevenlabs", "", "[tolerance 30m (the default of elevenlabs)]"},
		{"revolut", "", "[replay key delivery (the default of revolut)]"},
		{"craneops", "ack", "[on_conflict ack]"},
	} {
		t.Run(c.scheme+" "+c.option, func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": c.scheme, "on_conflict": c.option}, nil)
			core, logs := observer.New(zap.WarnLevel)
			g.app.logger = zap.New(core)
			if err := g.app.Start(); err != nil {
				t.Fatal(err)
			}
			var got string
			for _, entry := range logs.All() {
				got += fmt.Sprint(entry.ContextMap()["choices"])
			}
			if got != c.want {
				t.Errorf("named %s, want %s", got, c.want)
			}
		})
	}
}

// TestDefinedOccurrence checks that a definition decides whether its unsigned
// id is unique.
func TestDefinedOccurrence(t *testing.T) {
	sign := func(id, body string) http.Header {
		return http.Header{"X-S": {hex.EncodeToString(macUnder([]byte(testSecret), body))}, "X-Id": {id}}
	}
	for unique, want := range map[bool]step{
		false: {"other content under its id", sign("1", other), other, 204, ""},
		true:  {"other content under its id", sign("1", other), other, 409, "rejected conflict"},
	} {
		t.Run(fmt.Sprint("unique ", unique), func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": "acme", "scheme_definition": map[string]any{
				"signature": map[string]any{"header": "X-S"}, "occurrence_id": "X-Id", "occurrence_id_unique": unique,
			}}, nil)
			g.walk(t, []step{{"first", sign("1", body), body, 204, ""}, want})
		})
	}
}
