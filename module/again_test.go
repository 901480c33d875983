package module

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/inbox"
)

// isActive makes the configuration of a gateway the running one.
func (g *gateway) isActive() { g.app.isActive = func() bool { return true } }

// deliverNumber asks the admin endpoint to deliver the last delivery again.
func (g *gateway) deliverNumber(t *testing.T, number uint64) (status int, text string) {
	t.Helper()
	a := g.admin(t, http.MethodPost, fmt.Sprintf("%s/%d/deliver", deliveriesPath, number))
	return a.status, strings.TrimSpace(a.body)
}

// answers is an application whose answers a test sets. It records the requests.
type answers struct {
	mu     sync.Mutex
	status int
	asked  []string // address and host
}

func (a *answers) set(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = status
}

func (a *answers) serve(w http.ResponseWriter, r *http.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r.RemoteAddr+" "+r.Host+" "+r.Method)
	w.WriteHeader(a.status)
	return nil
}

// TestDeliverAgain checks that the same request is delivered once more whatever
// the history says about it, and that the history stays correct.
func TestDeliverAgain(t *testing.T) {
	for _, c := range []struct {
		name         string
		first, again int // what the application answers
		retry        int // what a retry of the provider is answered then
	}{
		{"delivered before", 204, 204, 200},
		{"delivered before, and failing now", 204, 500, 200},
		{"never delivered", 500, 202, 200},
		{"never delivered, and failing now", 500, 500, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := answers{status: c.first}
			g := newGateway(t, map[string]any{"capture": map[string]any{"of": "all"}}, app.serve)
			g.isActive()
			g.capturing(t)
			sent := with(craneops(body), "X-Own", "1", "Webhook-Forged", "x")
			expect(t, g.send(t, sent, body), c.first, "")
			first := g.recent()[0]
			app.set(c.again)
			if status, text := g.deliverNumber(t, first.Number); status != http.StatusOK || text != fmt.Sprintf(`{"status":%d,"id":%q}`, c.again, first.ID) {
				t.Errorf("%d %s", status, text)
			}
			g.expectDelivered(t, body, body)
			got := g.delivered()
			if a, b := fmt.Sprint(got[0].header), fmt.Sprint(got[1].header); a != b || got[0].uri != got[1].uri {
				t.Errorf("%s %s\nthen %s %s", got[0].uri, a, got[1].uri, b)
			}
			if app.asked[0] != app.asked[1] {
				t.Errorf("asked %q", app.asked)
			}
			again := g.recent()[0]
			if again.Verdict != string(accepted) || again.Status != 0 || again.Application != c.again || again.ID != first.ID || again.Captured ||
				again.Size != first.Size || again.Attempt != 0 || again.Hint != fmt.Sprintf("an operator delivered %d again", first.Number) {
				t.Errorf("listed %+v", again)
			}
			expect(t, g.send(t, sent, body), c.retry, "")
			if len(g.delivered()) != 2 && c.retry == 200 {
				t.Error("the retry was forwarded")
			}
		})
	}
}

// TestNotDeliveredAgain checks that a delivery that cannot be delivered again
// gets an error that says why, and does not reach the application.
func TestNotDeliveredAgain(t *testing.T) {
	app := newSlow()
	g := newGateway(t, map[string]any{"capture": map[string]any{"of": "all", "body": 100}}, app.serve)
	g.isActive()
	g.capturing(t)
	large := strings.Repeat("x", 200)
	app.answer <- answering(204)
	app.answer <- answering(204)
	g.send(t, craneops(body), body)
	captured := g.recent()[0].Number
	g.send(t, craneops(large), large)
	uncaptured := g.recent()[0].Number
	g.send(t, craneops(body), "forged")
	forged := g.recent()[0].Number
	for range 2 {
		<-app.asked
	}
	for _, c := range []struct {
		number uint64
		status int
		text   string
	}{
		{1, 404, "no such delivery"},
		{uncaptured, 409, "not captured"},
		{forged, 409, "was not verified"},
	} {
		if status, text := g.deliverNumber(t, c.number); status != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%d: %d %s, want %d", c.number, status, text, c.status)
		}
	}
	path := fmt.Sprintf("%s/%d/deliver", deliveriesPath, captured)
	if a := g.admin(t, http.MethodGet, path); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != http.MethodPost {
		t.Errorf("GET: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
	if a := g.admin(t, http.MethodPost, path+"?tenant=x"); a.status != http.StatusBadRequest {
		t.Errorf("a query: %d %s", a.status, a.body)
	}
	if a := g.admin(t, http.MethodPost, path+"/more"); a.status != http.StatusNotFound {
		t.Errorf("another path: %d %s", a.status, a.body)
	}

	// While it is delivered again, it is not delivered a third time.
	answered := make(chan int)
	go func() {
		status, _ := g.deliverNumber(t, captured)
		answered <- status
	}()
	<-app.asked
	if status, text := g.deliverNumber(t, captured); status != http.StatusConflict || !strings.Contains(text, "handled right now") {
		t.Errorf("at once: %d %s", status, text)
	}
	app.answer <- answering(204)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the first of them: %d", status)
	}

	// A configuration that is not the running one delivers nothing.
	g.app.isActive = func() bool { return false }
	if status, text := g.deliverNumber(t, captured); status != http.StatusConflict || text != errNoHandler.Error() {
		t.Errorf("without a configuration: %d %s", status, text)
	}
	g.expectDelivered(t, body, large, body)
}

// TestDeliverAgainWhileItIsHandled checks that a delivery is not delivered
// again while its retry is in flight.
func TestDeliverAgainWhileItIsHandled(t *testing.T) {
	app := newSlow()
	g := newGateway(t, map[string]any{"capture": map[string]any{"of": "all"}}, app.serve)
	g.isActive()
	g.capturing(t)
	app.answer <- answering(500)
	g.send(t, craneops(body), body)
	<-app.asked
	number := g.recent()[0].Number
	answered := make(chan answerOf)
	go func() { answered <- g.send(t, craneops(body), body) }()
	<-app.asked
	if status, text := g.deliverNumber(t, number); status != http.StatusConflict || text != errBeingHandled.Error() {
		t.Errorf("%d %s", status, text)
	}
	app.answer <- answering(204)
	expect(t, <-answered, 204, "")
	g.expectDelivered(t, body, body)
}

// TestDeliverAgainThatDoesNotArrive checks that a request that does not reach
// its handler is no delivery, and that its event stays free.
func TestDeliverAgainThatDoesNotArrive(t *testing.T) {
	var block switchable
	app := answers{status: 500}
	g := newGateway(t, map[string]any{"capture": map[string]any{"of": "all"}, "before": []any{
		map[string]any{"handler": "verify_webhook_test_application", "name": t.Name() + " before"},
	}}, app.serve)
	applications.Store(t.Name()+" before", func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		if block.up.Load() {
			w.WriteHeader(http.StatusOK)
			return nil
		}
		return next.ServeHTTP(w, r)
	})
	g.isActive()
	g.capturing(t)
	g.send(t, craneops(body), body)
	number := g.recent()[0].Number
	block.up.Store(true)
	if status, text := g.deliverNumber(t, number); status != http.StatusBadGateway || text != errNotReached.Error() {
		t.Errorf("%d %s", status, text)
	}
	block.up.Store(false)
	app.set(204)
	expect(t, g.send(t, craneops(body), body), 204, "")
	g.expectDelivered(t, body, body)
}

// TestDeliverAgainAndTheInbox checks that a waiting delivery is left to the
// inbox, and that a dead one is removed once the application has taken it.
func TestDeliverAgainAndTheInbox(t *testing.T) {
	app := answers{status: 503}
	g := newKeeper(t, nil, map[string]any{"capture": map[string]any{"of": "all"}}, app.serve)
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	g.waitForEntries(t, 1)
	number := g.recent()[0].Number
	if status, text := g.deliverNumber(t, number); status != http.StatusConflict || text != errWaitsInInbox.Error() {
		t.Errorf("%d %s", status, text)
	}
	app.set(422)
	g.elapse(time.Hour)
	waitUntil(t, func() bool { return g.waitForEntries(t, 1)[0].State == inbox.Dead })
	app.set(204)
	if status, text := g.deliverNumber(t, number); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	g.waitForEntries(t, 0)
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	g.expectDelivered(t, body, body, body)
}

// rejudge asks the admin endpoint to judge the captured deliveries again.
func (g *gateway) rejudge(t *testing.T, want rejudged) {
	t.Helper()
	a := g.admin(t, http.MethodPost, rejudgePath+g.handler.Provider)
	var got rejudged
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	if got != want {
		t.Errorf("judged again: %+v, want %+v", got, want)
	}
}

// corrected is a gateway before and after its secret was corrected: the captures
// of the first one are judged by the second.
func corrected(t *testing.T, options map[string]any, app application) (wrong, right *gateway) {
	t.Helper()
	all := map[string]any{"provider": fmt.Sprint("t-", labels.Add(1)), "capture": map[string]any{}, "secrets": []string{"d3Jvbmc="}}
	maps.Copy(all, options)
	wrong = newGateway(t, all, app)
	wrong.capturing(t)
	all["secrets"] = []string{testSecret}
	right = newGateway(t, all, app)
	right.isActive()
	right.capturing(t)
	return wrong, right
}

// TestRejudge checks that deliveries rejected by a wrong secret are delivered
// under the right one, the oldest first and once, and that a later retry is a
// duplicate.
func TestRejudge(t *testing.T) {
	app := answers{status: 204}
	wrong, right := corrected(t, nil, app.serve)
	for _, text := range []string{"1", "2", "3"} {
		expect(t, wrong.send(t, craneops(text), text), 401, "rejected signature_mismatch")
	}
	wrong.send(t, craneops("4"), "forged")
	wrong.send(t, nil, "unsigned")
	expect(t, right.send(t, craneops("2"), "2"), 204, "") // the provider's own retry
	before := right.recent()
	right.rejudge(t, rejudged{Judged: 4, Delivered: 2})
	right.expectDelivered(t, "2", "1", "3")
	for _, text := range []string{"1", "2", "3"} {
		expect(t, right.send(t, craneops(text), text), 200, "")
	}
	if fresh := len(right.recent()) - len(before) - 3; fresh != 2 {
		t.Errorf("%d are listed for two that were delivered", fresh)
	}
	listed := right.recent()[4]
	if listed.Verdict != string(accepted) || listed.Status != 0 || listed.Application != 204 || !strings.HasSuffix(listed.Hint, "judged again") {
		t.Errorf("listed %+v", listed)
	}
	right.rejudge(t, rejudged{Judged: 2}) // the retried one and the forged one
	right.expectDelivered(t, "2", "1", "3")
	if app.asked[1] != app.asked[2] && !strings.HasSuffix(app.asked[1], " POST") {
		t.Errorf("asked %q", app.asked)
	}
}

// TestRejudgeByArrival checks that the signed time is judged by the time at
// which the delivery arrived.
func TestRejudgeByArrival(t *testing.T) {
	wrong, right := corrected(t, map[string]any{"scheme": "cryptr"}, nil)
	send := func(text string, at time.Time) { wrong.send(t, cryptr(at, text), text) }
	send("fresh", testTime)
	send("stale", testTime.Add(-time.Hour))
	send("future", testTime.Add(time.Hour))
	right.handler.now = func() time.Time { return testTime.Add(time.Hour) }
	right.rejudge(t, rejudged{Judged: 3, Delivered: 1})
	right.expectDelivered(t, "fresh")
	if age := right.recent()[0].Age; age == nil || *age != 0 {
		t.Errorf("age %v", age)
	}
}

// TestRejudgeStops checks that rejudge stops at a 503, and continues from
// there.
func TestRejudgeStops(t *testing.T) {
	app := answers{status: 503}
	wrong, right := corrected(t, nil, app.serve)
	for _, text := range []string{"1", "2"} {
		wrong.send(t, craneops(text), text)
	}
	right.rejudge(t, rejudged{Judged: 1, Stopped: "the application answered 503"})
	right.expectDelivered(t, "1")
	app.set(500)
	right.rejudge(t, rejudged{Judged: 2})
	app.set(204)
	right.rejudge(t, rejudged{Judged: 2, Delivered: 2})
	right.rejudge(t, rejudged{})
	right.expectDelivered(t, "1", "2", "1", "2", "1")
}

// TestRejudgeWithoutHistory checks that nothing is delivered twice without a
// history either.
func TestRejudgeWithoutHistory(t *testing.T) {
	wrong, right := corrected(t, map[string]any{"replay": map[string]any{"store": "none"}}, nil)
	wrong.send(t, craneops(body), body)
	right.rejudge(t, rejudged{Judged: 1, Delivered: 1})
	right.rejudge(t, rejudged{})
	right.expectDelivered(t, body)
}

// TestRejudgeLeavesWhatWasPassedOn checks that a delivery that observe has
// passed on is not judged again: the application has it.
func TestRejudgeLeavesWhatWasPassedOn(t *testing.T) {
	wrong, right := corrected(t, map[string]any{"observe": true}, nil)
	wrong.send(t, craneops(body), body)
	right.expectDelivered(t, body) // both have one application
	right.rejudge(t, rejudged{})
	right.expectDelivered(t, body)
}

// TestRejudgeRequests checks the requests that the endpoint rejects.
func TestRejudgeRequests(t *testing.T) {
	g := newGateway(t, map[string]any{"capture": map[string]any{}}, nil)
	g.isActive()
	g.capturing(t)
	label := g.handler.Provider
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"POST", rejudgePath + label, 200},
		{"POST", rejudgePath + label + "?tenant=acme", 200},
		{"POST", rejudgePath + "nobody", 404},
		{"POST", rejudgePath, 400},
		{"POST", rejudgePath + label + "/x", 400},
		{"POST", rejudgePath + label + "?verdict=x", 400},
		{"GET", rejudgePath + label, 405},
	} {
		if a := g.admin(t, c.method, c.path); a.status != c.status || c.status == 405 && a.header.Get("Allow") != "POST" {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
}

// TestOperatorContext checks that the context ends with the operator's request
// and has none of its values.
func TestOperatorContext(t *testing.T) {
	type key struct{}
	outer, leave := context.WithCancel(context.WithValue(t.Context(), key{}, 1))
	ctx, cancel := operatorContext(httptest.NewRequest(http.MethodPost, "/", nil).WithContext(outer))
	defer cancel()
	if ctx.Value(key{}) != nil {
		t.Error("it has a value of the admin endpoint's request")
	}
	leave()
	<-ctx.Done()
}
