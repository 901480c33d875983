package module

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// once answers the first delivery with first and all others with 204.
func once(first application) application {
	var seen sync.Once
	return func(w http.ResponseWriter, r *http.Request) (err error) {
		answered := false
		seen.Do(func() { answered, err = true, first(w, r) })
		if !answered {
			w.WriteHeader(http.StatusNoContent)
		}
		return err
	}
}

// TestWhatWasNotDeliveredIsForwardedAgain checks the promise to senders: a
// retry of a delivery that the application did not take reaches it.
func TestWhatWasNotDeliveredIsForwardedAgain(t *testing.T) {
	status := func(n int) application {
		return func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(n); return nil }
	}
	for _, c := range []struct {
		name  string
		first application
		want  int
		body  string
	}{
		{"500", status(500), 500, ""},
		{"404", status(404), 404, ""},
		{"302", status(302), 302, ""},
		{"499", status(499), 499, ""},
		{"error", func(http.ResponseWriter, *http.Request) error {
			return caddyhttp.Error(http.StatusBadGateway, errors.New("dial"))
		}, 502, "accepted no_answer"},
		{"plain error", func(http.ResponseWriter, *http.Request) error { return errors.New("some") }, 500, ""},
		{"no answer", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Content-Length", "5") // followed by no body
			return nil
		}, 502, "accepted no_answer"},
		{"panic", func(http.ResponseWriter, *http.Request) error { panic("payload") }, 500, "accepted no_answer"},
		{"no status that there is", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(99)
			return nil
		}, 500, "accepted no_answer"},
		{"early hints and then nothing", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			return nil
		}, 502, "accepted no_answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, nil, once(c.first))
			expect(t, g.send(t, craneops(body), body), c.want, c.body)
			expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
			g.expectDelivered(t, body, body)
			for _, entry := range g.logs.All() {
				if strings.Contains(entry.Message, "payload") || entry.ContextMap()["panic"] != nil {
					t.Errorf("log holds what was panicked with: %+v", entry)
				}
			}
		})
	}
}

func TestWhatWasDeliveredIsADuplicate(t *testing.T) {
	for _, c := range []struct {
		name  string
		first application
		want  int
	}{
		{"200", func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(200); return nil }, 200},
		{"written without a status", func(w http.ResponseWriter, _ *http.Request) error {
			_, err := io.WriteString(w, "ok")
			return err
		}, 200},
		{"flushed without a status", func(w http.ResponseWriter, _ *http.Request) error {
			return http.NewResponseController(w).Flush()
		}, 200},
		{"copied without a status", func(w http.ResponseWriter, _ *http.Request) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("ok"))
			return err
		}, 200},
		{"early hints first", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusCreated)
			return nil
		}, 201},
		{"a second status changes nothing", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusCreated)
			w.WriteHeader(http.StatusInternalServerError)
			return nil
		}, 201},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, nil, c.first)
			if a := g.send(t, craneops(body), body); a.status != c.want {
				t.Errorf("status %d, want %d", a.status, c.want)
			}
			expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
			g.expectDelivered(t, body)
		})
	}
}

// TestWhatHappensAfterTheStatus checks that failures after the status change
// nothing: the application has the delivery.
func TestWhatHappensAfterTheStatus(t *testing.T) {
	for name, then := range map[string]func() error{
		"error": func() error { return errors.New("later") },
		"panic": func() error { panic("later") },
		"abort": func() error { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
				w.WriteHeader(http.StatusAccepted)
				_ = http.NewResponseController(w).Flush()
				return then()
			})
			_, _ = g.try(g.request(t, craneops(body), strings.NewReader(body))) // may be cut off
			expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
			g.expectDelivered(t, body)
		})
	}
}

// TestAbortReleases checks a handler that cuts the connection on purpose.
func TestAbortReleases(t *testing.T) {
	g := newGateway(t, nil, once(func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }))
	if a, err := g.try(g.request(t, craneops(body), strings.NewReader(body))); err == nil {
		t.Errorf("answer %+v from a connection that was to be cut", a)
	}
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	g.expectDelivered(t, body, body)
}

// TestAnswerWithin checks that an application that does not begin its answer in
// time gets the retry.
func TestAnswerWithin(t *testing.T) {
	for name, first := range map[string]application{
		"heeds its context": func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		},
		"answers as reverse_proxy does": func(w http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			w.WriteHeader(499)
			return nil
		},
		"answers too late": func(w http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done() // stands for any time after it
			w.Header().Set("Content-Length", "2")
			w.WriteHeader(http.StatusOK)
			if _, err := io.WriteString(w, "ok"); !errors.Is(err, http.ErrHandlerTimeout) {
				t.Errorf("a late write: %v", err)
			}
			return nil
		},
		"aborts": func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, map[string]any{"answer_within": "30ms", "retry_after": "1500ms"}, once(first))
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				a := g.sendDirectly()
				expect(t, a, http.StatusServiceUnavailable, "accepted no_answer")
				if took := time.Since(began); took != 30*time.Millisecond {
					t.Errorf("answered after %v", took)
				}
				if a.header.Get("Retry-After") != "2" {
					t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
				}
				expect(t, g.sendDirectly(), http.StatusNoContent, "")
			})
			g.expectDelivered(t, body, body)
		})
	}
}

// TestAnswerWithinEndsWithTheStatus checks that an answer may take its time
// once it has begun.
func TestAnswerWithinEndsWithTheStatus(t *testing.T) {
	g := newGateway(t, map[string]any{"answer_within": "30ms"}, func(w http.ResponseWriter, r *http.Request) error {
		w.WriteHeader(http.StatusOK)
		select {
		case <-r.Context().Done():
			t.Error("ended although it had begun to answer")
		case <-time.After(time.Hour):
		}
		_, err := io.WriteString(w, "whole")
		return err
	})
	synctest.Test(t, func(t *testing.T) {
		expect(t, g.sendDirectly(), http.StatusOK, "whole")
	})
}

func TestEightAtOnce(t *testing.T) {
	const senders = 8
	arrived, release := make(chan struct{}), make(chan struct{})
	g := newGateway(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		close(arrived)
		<-release
		_, err := io.WriteString(w, "done")
		return err
	})
	answers := make(chan answerOf, senders)
	for range senders {
		go func() {
			a, err := g.try(g.request(t, craneops(body), strings.NewReader(body)))
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
	}
	<-arrived
	for range senders - 1 {
		a := <-answers
		expect(t, a, http.StatusServiceUnavailable, "rejected in_flight")
		if a.header.Get("Retry-After") != "30" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	}
	close(release)
	expect(t, <-answers, http.StatusOK, "done")
	g.expectDelivered(t, body)
}

// TestSenderHangsUp checks that a handler runs until its status when the sender
// goes away, and that its delivery counts.
func TestSenderHangsUp(t *testing.T) {
	arrived, gone, finished := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	g := newGateway(t, nil, once(func(w http.ResponseWriter, r *http.Request) error {
		close(arrived)
		<-gone
		finished <- r.Context().Err()
		w.WriteHeader(http.StatusOK)
		return nil
	}))
	ctx, hangUp := context.WithCancel(context.Background())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = g.try(g.request(t, craneops(body), strings.NewReader(body)).WithContext(ctx))
	}()
	<-arrived
	hangUp()
	<-sent
	close(gone)
	if err := <-finished; err != nil {
		t.Errorf("the handler was ended with the sender: %v", err)
	}
	// The handler may not have returned yet; the delivery is recorded when it has.
	for {
		a := g.send(t, craneops(body), body)
		if a.body == "rejected in_flight" {
			continue
		}
		expect(t, a, http.StatusOK, "")
		break
	}
	g.expectDelivered(t, body)
}

// TestNoTunnel checks that a handler after this one cannot take over the
// connection.
func TestNoTunnel(t *testing.T) {
	g := newGateway(t, nil, once(func(w http.ResponseWriter, _ *http.Request) error {
		if _, _, err := http.NewResponseController(w).Hijack(); !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("hijacked: %v", err)
		}
		return nil
	}))
	expect(t, g.send(t, craneops(body), body), http.StatusBadGateway, "accepted no_answer")
}

// TestGoexit checks a handler that ends its goroutine: nothing counts as
// delivered, whatever it answered before, and the retry is forwarded.
func TestGoexit(t *testing.T) {
	for name, before := range map[string]application{
		"without an answer": func(http.ResponseWriter, *http.Request) error { return nil },
		"when the time for an answer is over": func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return nil
		},
		"when its proxy has given up": gives499(false),
		"after an answer to a body that it could not have": func(w http.ResponseWriter, r *http.Request) error {
			// A proxy that announces nothing tries a second upstream.
			trace := httptrace.ContextClientTrace(r.Context())
			_, _ = r.Body.Read(make([]byte, 1))
			trace.ConnectStart("tcp", "")
			_, _ = io.Copy(io.Discard, r.Body)
			trace.ConnectStart("tcp", "")
			w.WriteHeader(http.StatusOK)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, map[string]any{"answer_within": "30ms"}, once(func(w http.ResponseWriter, r *http.Request) error {
				_ = before(w, r)
				runtime.Goexit()
				return nil
			}))
			synctest.Test(t, func(t *testing.T) {
				var group sync.WaitGroup
				group.Go(func() {
					a := g.sendDirectly()
					t.Errorf("the server goes on with its goroutine, and answers %d", a.status)
				})
				group.Wait()
				expect(t, g.sendDirectly(), http.StatusNoContent, "")
			})
			g.expectDelivered(t, body, body)
		})
	}
}

// TestStoreContext checks that the context outlives the request whose values it
// has, and ends at its own deadline.
func TestStoreContext(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		request, leave := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		leave()
		ctx, cancel := storeContext(request)
		defer cancel()
		if err := ctx.Err(); err != nil || ctx.Value(key{}) != "value" {
			t.Fatalf("%v, %v", err, ctx.Value(key{}))
		}
		time.Sleep(storeWithin - time.Millisecond)
		if err := ctx.Err(); err != nil {
			t.Errorf("too early: %v", err)
		}
		time.Sleep(2 * time.Millisecond)
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Error(ctx.Err())
		}
	})
}

// gives499 is a reverse_proxy that writes 499, either by itself or because an
// application answers 499.
func gives499(answers bool) application {
	return func(w http.ResponseWriter, r *http.Request) error {
		trace := httptrace.ContextClientTrace(r.Context())
		trace.GotConn(httptrace.GotConnInfo{})
		trace.WroteHeaders()
		_, _ = io.Copy(io.Discard, r.Body)
		trace.WroteRequest(httptrace.WroteRequestInfo{})
		if answers {
			trace.GotFirstResponseByte()
		}
		w.WriteHeader(499)
		return nil
	}
}

// TestProxyThatGivesUp checks the status 499. reverse_proxy writes 499 by
// itself when its attempt is cancelled, as another delivery can cancel a shared
// dial over HTTP/3. The sender is still there, so this is no answer. A 499 from
// the application is one.
func TestProxyThatGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		answers bool
		status  int
		reason  string
		retry   string
	}{
		"by itself":              {false, http.StatusServiceUnavailable, "accepted no_answer", "2"},
		"because an application": {true, 499, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, map[string]any{"retry_after": "2s"}, once(gives499(c.answers)))
			a := g.send(t, craneops(body), body)
			expect(t, a, c.status, c.reason)
			if got := a.header.Get("Retry-After"); got != c.retry {
				t.Errorf("Retry-After %q", got)
			}
			expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
			g.expectDelivered(t, body, body)
		})
	}
}
