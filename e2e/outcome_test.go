package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// craneopsGateway starts a gateway with one craneops route to a new
// application.
func craneopsGateway(t *testing.T, options ...string) (*harness.Gateway, *harness.Application) {
	t.Helper()
	app := harness.NewApplication(t)
	return harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, options...)), harness.Secrets()...), app
}

// TestRefusedIsRetried: a delivery that the application did not accept is
// forwarded again.
func TestRefusedIsRetried(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	cases := []struct {
		name   string
		answer http.HandlerFunc
		status int
	}{
		{"500", harness.Status(http.StatusInternalServerError), http.StatusInternalServerError},
		{"404", harness.Status(http.StatusNotFound), http.StatusNotFound},
		{"410", harness.Status(http.StatusGone), http.StatusGone},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, http.StatusFound},
		{"no answer", harness.HangUp, http.StatusBadGateway},
		{"500 after 103", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusInternalServerError)
		}, http.StatusInternalServerError},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := harness.CraneOps(`{"refused":"` + c.name + `"}`)
			for attempt := range 2 {
				app.Answers(c.answer)
				if a := g.Send(t, d); a.Status != c.status || a.Verdict() != "accepted" {
					t.Errorf("attempt %d: answered %d %q, not %d", attempt, a.Status, a.Verdict(), c.status)
				}
			}
			app.Answers(harness.Status(http.StatusNoContent))
			g.Send(t, d).Is(t, http.StatusNoContent, "accepted", "")
			g.Send(t, d).Duplicate(t)
			if n := app.CountBody(d.Body); n != 3 {
				t.Errorf("the application received it %d times, not 3", n)
			}
		})
	}
}

// TestBrokenAnswer: the status decides, even if the answer's body breaks off.
func TestBrokenAnswer(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	app.Answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "the beginning")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	d := harness.CraneOps(`{}`)
	if a, err := harness.SendGo(t, g, d); err == nil {
		t.Errorf("a broken answer came whole: %d %q", a.Status, a.Body)
	}
	g.Send(t, d).Duplicate(t)
	app.Saw(t, 1)
}

// TestAtOnce: of eight simultaneous identical deliveries, one reaches the
// application.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.Answers(harness.Until(release, http.StatusAccepted))

	d := harness.CraneOps(`{}`)
	type outcome struct {
		harness.Answer
		err error
	}
	outcomes := make(chan outcome)
	for range 8 {
		go func() {
			a, err := harness.SendGo(t, g, d)
			outcomes <- outcome{a, err}
		}()
	}
	for range 7 {
		o := <-outcomes
		if o.err != nil {
			t.Error(o.err)
			continue
		}
		o.Rejected(t, "in_flight")
	}
	free()
	last := <-outcomes
	if last.err != nil {
		t.Fatal(last.err)
	}
	last.Is(t, http.StatusAccepted, "accepted", "")
	g.Send(t, d).Duplicate(t)
	app.Saw(t, 1)
}

// TestOccurrenceInFlight: other content under an occurrence ID that is being
// handled is also in_flight.
func TestOccurrenceInFlight(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/mceasy", "mceasy", app.Addr)), harness.Secrets()...)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.Answers(harness.Until(release, http.StatusOK))

	first, err := make(chan harness.Answer, 1), make(chan error, 1)
	go func() {
		a, e := harness.SendGo(t, g, harness.McEasy(`{"n":1}`, time.Now(), "6", "48213"))
		first <- a
		err <- e
	}()
	app.AwaitArrivals(t, 1)
	g.Send(t, harness.McEasy(`{"n":2}`, time.Now(), "6", "48213")).Rejected(t, "in_flight")
	free()
	if a, e := <-first, <-err; e != nil {
		t.Error(e)
	} else {
		a.Accepted(t)
	}
	g.Send(t, harness.McEasy(`{"n":2}`, time.Now(), "6", "48213")).Rejected(t, "conflict")
	app.Saw(t, 1)
}

// closing closes a channel once, however often it is called.
func closing(c chan struct{}) func() {
	closed := false
	return func() {
		if !closed {
			closed = true
			close(c)
		}
	}
}

// TestSenderHangsUp: after the reservation, the delivery continues without its
// sender.
func TestSenderHangsUp(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	ended := make(chan bool, 1)
	app.Reads(func(r *http.Request) {
		<-release
		// A gateway that stops with its sender would stop at once. The test
		// waits one second to see that it does not.
		select {
		case <-r.Context().Done():
			ended <- true
		case <-time.After(time.Second):
			ended <- false
		}
	})

	d := harness.CraneOps(strings.Repeat("0123456789abcdef", 64<<10))
	w := g.Dial(t)
	w.Write(t, d.Whole())
	app.AwaitArrivals(t, 1)
	w.Conn.Close()
	free()
	if <-ended {
		t.Error("the application's request ended with the sender")
	}
	app.Reads(func(*http.Request) {})
	harness.Poll(t, "the delivery to be recorded", func() bool { return g.Send(t, d).Verdict() == "duplicate" })
	app.Saw(t, 1)
	if got := app.All(); len(got) != 1 {
		t.Errorf("the application finished %d deliveries", len(got))
	} else {
		got[0].Carries(t, d)
	}
}

// TestNothingBehind: if no handler answers, the delivery does not count as
// delivered.
func TestNothingBehind(t *testing.T) {
	t.Parallel()
	site := strings.Replace(harness.OpenSite(harness.Route("/craneops", harness.Verify("craneops", "CRANEOPS_SECRET"))), "respond 404", "", 1)
	g := harness.Start(t, site, harness.Secrets()...)
	for range 2 {
		g.Send(t, harness.CraneOps(`{}`)).Is(t, http.StatusBadGateway, "accepted", "no_answer")
	}
}

// TestAnswerWithin: a delivery that the application does not begin to answer in
// time is forwarded again on a retry. The retry has a limit of a minute,
// because the machine may be busy.
func TestAnswerWithin(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := func(within string) string {
		return harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "answer_within "+within, "retry_after 7s"))
	}
	g := harness.Start(t, site("2s"), harness.Secrets()...)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.Answers(harness.Until(release, http.StatusOK))
	d := harness.CraneOps(`{}`)
	a := g.Send(t, d)
	a.Is(t, http.StatusServiceUnavailable, "accepted", "no_answer")
	if got := a.Header.Get("Retry-After"); got != "7" {
		t.Errorf("Retry-After is %q, not 7", got)
	}
	app.AwaitArrivals(t, 1)
	free()
	app.Answers(harness.Status(http.StatusOK))
	g.MustReload(t, site("1m"))
	g.SendAfterReload(t, d).Accepted(t)
	g.SendAfterReload(t, d).Duplicate(t)
	app.Saw(t, 2)
}

// TestLongAnswer: answer_within applies only until the status; the rest of an
// answer may take longer.
func TestLongAnswer(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "answer_within 300ms")
	app.Answers(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "slowly ")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(700 * time.Millisecond)
		_, _ = io.WriteString(w, "but whole")
	})
	var a harness.Answer
	harness.Poll(t, "an answer that begins in time", func() bool {
		a = g.Send(t, harness.CraneOps(`{}`))
		return a.Reason() != "no_answer"
	})
	a.Accepted(t)
	if string(a.Body) != "slowly but whole" {
		t.Errorf("the sender read %q", a.Body)
	}
}
