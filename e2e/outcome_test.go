package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// craneopsGateway is one craneops route in front of a new application.
func craneopsGateway(t *testing.T, options ...string) (*gateway, *application) {
	t.Helper()
	app := newApplication(t)
	return start(t, openSite(hook("/craneops", "craneops", app.addr, options...)), secrets()...), app
}

// TestRefusedIsRetried: what the application did not take is forwarded again.
func TestRefusedIsRetried(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	cases := []struct {
		name   string
		answer http.HandlerFunc
		status int
	}{
		{"500", status(http.StatusInternalServerError), http.StatusInternalServerError},
		{"404", status(http.StatusNotFound), http.StatusNotFound},
		{"410", status(http.StatusGone), http.StatusGone},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, http.StatusFound},
		{"no answer", hangUp, http.StatusBadGateway},
		{"500 after 103", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusInternalServerError)
		}, http.StatusInternalServerError},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := craneops(`{"refused":"` + c.name + `"}`)
			for attempt := range 2 {
				app.answers(c.answer)
				if a := g.send(t, d); a.status != c.status || a.verdict() != "accepted" {
					t.Errorf("attempt %d: answered %d %q, not %d", attempt, a.status, a.verdict(), c.status)
				}
			}
			app.answers(status(http.StatusNoContent))
			g.send(t, d).is(t, http.StatusNoContent, "accepted", "")
			g.send(t, d).duplicate(t)
			if n := app.countBody(d.body); n != 3 {
				t.Errorf("the application received it %d times, not 3", n)
			}
		})
	}
}

// TestBrokenAnswer: the status decides, not what becomes of the answer's body.
func TestBrokenAnswer(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	app.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "the beginning")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	d := craneops(`{}`)
	if a, err := sendGo(t, g, d); err == nil {
		t.Errorf("a broken answer came whole: %d %q", a.status, a.body)
	}
	g.send(t, d).duplicate(t)
	app.saw(t, 1)
}

// TestAtOnce: of eight identical deliveries one reaches the application.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.answers(until(release, http.StatusAccepted))

	d := craneops(`{}`)
	type outcome struct {
		answer
		err error
	}
	outcomes := make(chan outcome)
	for range 8 {
		go func() {
			a, err := sendGo(t, g, d)
			outcomes <- outcome{a, err}
		}()
	}
	for range 7 {
		o := <-outcomes
		if o.err != nil {
			t.Error(o.err)
			continue
		}
		o.rejected(t, "in_flight")
	}
	free()
	last := <-outcomes
	if last.err != nil {
		t.Fatal(last.err)
	}
	last.is(t, http.StatusAccepted, "accepted", "")
	g.send(t, d).duplicate(t)
	app.saw(t, 1)
}

// TestOccurrenceInFlight: other content under an occurrence ID that is being
// handled has to wait, too.
func TestOccurrenceInFlight(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(hook("/mceasy", "mceasy", app.addr)), secrets()...)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.answers(until(release, http.StatusOK))

	first, err := make(chan answer, 1), make(chan error, 1)
	go func() {
		a, e := sendGo(t, g, mceasy(`{"n":1}`, time.Now(), "6", "48213"))
		first <- a
		err <- e
	}()
	app.awaitArrivals(t, 1)
	g.send(t, mceasy(`{"n":2}`, time.Now(), "6", "48213")).rejected(t, "in_flight")
	free()
	if a, e := <-first, <-err; e != nil {
		t.Error(e)
	} else {
		a.accepted(t)
	}
	g.send(t, mceasy(`{"n":2}`, time.Now(), "6", "48213")).rejected(t, "conflict")
	app.saw(t, 1)
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

// TestSenderHangsUp: from the reservation on, the sender is not needed any more.
func TestSenderHangsUp(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	ended := make(chan bool, 1)
	app.reads(func(r *http.Request) {
		<-release
		// A gateway that follows its sender gives up at once; one second
		// without that is what a test can ask for.
		select {
		case <-r.Context().Done():
			ended <- true
		case <-time.After(time.Second):
			ended <- false
		}
	})

	d := craneops(strings.Repeat("0123456789abcdef", 64<<10))
	w := g.dial(t)
	w.write(t, d.whole())
	app.awaitArrivals(t, 1)
	w.conn.Close()
	free()
	if <-ended {
		t.Error("the application's request ended with the sender")
	}
	app.reads(func(*http.Request) {})
	poll(t, "the delivery to be recorded", func() bool { return g.send(t, d).verdict() == "duplicate" })
	app.saw(t, 1)
	if got := app.all(); len(got) != 1 {
		t.Errorf("the application finished %d deliveries", len(got))
	} else {
		got[0].carries(t, d)
	}
}

// TestNothingBehind: without a handler that answers, nothing was delivered.
func TestNothingBehind(t *testing.T) {
	t.Parallel()
	site := strings.Replace(openSite(route("/craneops", verify("craneops", "CRANEOPS_SECRET"))), "respond 404", "", 1)
	g := start(t, site, secrets()...)
	for range 2 {
		g.send(t, craneops(`{}`)).is(t, http.StatusBadGateway, "accepted", "no_answer")
	}
}

// TestAnswerWithin: an application that does not begin its answer in time is
// tried again. The retry has all the time it needs, which a busy machine may.
func TestAnswerWithin(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	site := func(within string) string {
		return openSite(hook("/craneops", "craneops", app.addr, "answer_within "+within, "retry_after 7s"))
	}
	g := start(t, site("2s"), secrets()...)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.answers(until(release, http.StatusOK))
	d := craneops(`{}`)
	a := g.send(t, d)
	a.is(t, http.StatusServiceUnavailable, "accepted", "no_answer")
	if got := a.header.Get("Retry-After"); got != "7" {
		t.Errorf("Retry-After is %q, not 7", got)
	}
	app.awaitArrivals(t, 1)
	free()
	app.answers(status(http.StatusOK))
	g.mustReload(t, site("1m"))
	g.sendAfterReload(t, d).accepted(t)
	g.sendAfterReload(t, d).duplicate(t)
	app.saw(t, 2)
}

// TestLongAnswer: answer_within ends with the status, an answer may take longer.
func TestLongAnswer(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "answer_within 300ms")
	app.answers(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "slowly ")
		_ = http.NewResponseController(w).Flush()
		time.Sleep(700 * time.Millisecond)
		_, _ = io.WriteString(w, "but whole")
	})
	var a answer
	poll(t, "an answer that begins in time", func() bool {
		a = g.send(t, craneops(`{}`))
		return a.reason() != "no_answer"
	})
	a.accepted(t)
	if string(a.body) != "slowly but whole" {
		t.Errorf("the sender read %q", a.body)
	}
}
