package webhook

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// arrival is a request as the application receives it.
type arrival struct {
	method, uri, host string
	header            http.Header
	body              string
	length            int64
}

// application records the requests that arrive and answers with a list of
// statuses.
type application struct {
	*httptest.Server
	mu       sync.Mutex
	arrivals []arrival
}

func newApplication(t *testing.T, answers ...http.HandlerFunc) *application {
	a := &application{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		a.mu.Lock()
		n := len(a.arrivals)
		a.arrivals = append(a.arrivals, arrival{r.Method, r.RequestURI, r.Host, r.Header, string(body), r.ContentLength})
		a.mu.Unlock()
		w.Header()["Date"] = nil // the same output on every run
		answers[min(n, len(answers)-1)](w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func answer(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func TestSend(t *testing.T) {
	app := newApplication(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Add("X-B", "2")
		w.Header().Add("X-B", "1")
		w.Header().Set("X-A", "\x80")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "got it\r\n\x1b[31m\ttab \\ \u202e\xff")
	})
	o := run(t, []byte(awkward), "send", "--scheme", "cryptr", "--secret", "k", "--to", app.URL+"/hook?token=a%2Fb",
		"--header", "Host: hooks.example.com", "--header", "x-extra: 1", "--header", "X-Extra:  2 ")
	want := "HTTP/1.1 202 Accepted\nContent-Length: 35\nContent-Type: text/plain\nX-A: \\x80\nX-B: 2\nX-B: 1\n\n" +
		"got it\\r\n\\x1b[31m\ttab \\ \\u202e\\xff\n"
	want = strings.Replace(want, "35", fmt.Sprint(len("got it\r\n\x1b[31m\ttab \\ \u202e\xff")), 1)
	if o.status != 0 || o.out != want || o.errOut != "" {
		t.Errorf("status %d\n%s%swant\n%s", o.status, o.out, o.errOut, want)
	}
	got := app.arrivals[0]
	if got.method != "POST" || got.uri != "/hook?token=a%2Fb" || got.host != "hooks.example.com" || got.body != awkward || got.length != int64(len(awkward)) {
		t.Errorf("arrived: %+v", got)
	}
	for name, value := range map[string]string{
		"Cryptr-Signature": fmt.Sprintf("t=1769860800,v1=sha256.%x", mac([]byte("k"), "1769860800."+awkward)),
		"Content-Type":     "application/json",
		"X-Extra":          "1,2",
	} {
		if text := strings.Join(got.header[name], ","); text != value {
			t.Errorf("%s: %q, want %q", name, text, value)
		}
	}
}

func TestSendRepeats(t *testing.T) {
	app := newApplication(t, answer(204), answer(409), answer(200))
	o := run(t, []byte("b"), "send", "--scheme", "mceasy", "--secret", "a2V5", "--event", "4", "--id", "job-1", "--to", app.URL, "--repeat", "3")
	if want := "delivery 1 of 3:\nHTTP/1.1 204 No Content\n\ndelivery 2 of 3:\nHTTP/1.1 409 Conflict\nContent-Length: 0\n\n" +
		"delivery 3 of 3:\nHTTP/1.1 200 OK\nContent-Length: 0\n\n"; o.out != want || o.status != 1 {
		t.Errorf("status %d\n%s%swant\n%s", o.status, o.out, o.errOut, want)
	}
	if len(app.arrivals) != 3 {
		t.Fatalf("%d deliveries arrived", len(app.arrivals))
	}
	for _, got := range app.arrivals {
		if fmt.Sprint(got) != fmt.Sprint(app.arrivals[0]) || got.header.Get("X-Mceasywebhook-Occurrence-Id") != "job-1" {
			t.Errorf("not the same delivery: %v", got)
		}
	}
}

func TestSendFollowsNoRedirect(t *testing.T) {
	app := newApplication(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	o := run(t, nil, "send", "--scheme", "craneops", "--secret", "k", "--to", app.URL)
	if o.status != 1 || !strings.HasPrefix(o.out, "HTTP/1.1 307 Temporary Redirect\n") || len(app.arrivals) != 1 {
		t.Errorf("status %d, %d arrived\n%s%s", o.status, len(app.arrivals), o.out, o.errOut)
	}
}

// TestSendForgery: a header that the user gives replaces the signed one.
func TestSendForgery(t *testing.T) {
	app := newApplication(t, answer(401))
	o := run(t, nil, "send", "--scheme", "craneops", "--secret", "k", "--to", app.URL,
		"--header", "X-CraneOps-Signature: forged", "--header", "content-type: text/plain")
	if o.status != 1 {
		t.Errorf("status %d\n%s%s", o.status, o.out, o.errOut)
	}
	got := app.arrivals[0].header
	if len(got["X-Craneops-Signature"]) != 1 || got.Get("X-Craneops-Signature") != "forged" || got.Get("Content-Type") != "text/plain" {
		t.Errorf("arrived: %v", got)
	}
}

func TestSendShowsABoundedAnswer(t *testing.T) {
	app := newApplication(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", maxAnswer+1))
	})
	o := run(t, nil, "send", "--scheme", "craneops", "--secret", "k", "--to", app.URL)
	if o.status != 0 || !strings.HasSuffix(o.out, "\n\n"+strings.Repeat("x", maxAnswer)+"\n(only the first 64 KiB of the body are shown)\n") {
		t.Errorf("status %d, %d bytes of output", o.status, len(o.out))
	}
}

func TestSendWithoutAnswer(t *testing.T) {
	const address = "127.0.0.1:0" // nothing can listen on port 0
	broken := newApplication(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "five!")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	for to, want := range map[string]string{
		"http://" + address: "Error: no answer: dial tcp " + address + ": ",
		broken.URL:          "Error: the answer broke off: unexpected EOF\n",
	} {
		o := run(t, nil, "send", "--scheme", "craneops", "--secret", "k", "--to", to+"/?token=canary", "--repeat", "2")
		if o.status != 1 || !strings.HasPrefix(o.errOut, want) || strings.Count(o.errOut, "\n") != 1 || strings.Contains(o.errOut, "canary") {
			t.Errorf("status %d: %q, want %q", o.status, o.errOut, want)
		}
	}
}
