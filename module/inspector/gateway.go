package inspector

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/module/deliveries"
	"github.com/hooklatch/hooklatch/module/inbox"
)

const (
	deliveriesPath = "/verify_webhook/deliveries"
	historyPath    = "/verify_webhook/history"
	rejudgePath    = "/verify_webhook/rejudge"
	inboxPath      = "/verify_webhook/inbox"
)

// maxAnswer is the largest response that is read, in bytes: a list, or a
// capture in base64.
const maxAnswer = 64 << 20

// ask sends a request to the gateway and decodes its response into result,
// unless that is nil.
func (p *Page) ask(ctx context.Context, method, uri string, result any) (http.Header, error) {
	r, err := http.NewRequestWithContext(outside(ctx), method, uri, http.NoBody) //nolint:gosec // the host is the gateway's, and every segment is escaped
	if err != nil {
		return nil, err
	}
	w := &recorder{header: http.Header{}}
	p.Gateway.ServeHTTP(w, r)
	switch {
	case w.tooLarge:
		return nil, errors.New("the gateway's answer is too large")
	case w.status >= http.StatusMultipleChoices || w.status == 0:
		return nil, &refusal{status: w.status, text: errorText(w)}
	case result == nil:
		return w.header, nil
	}
	if err := json.Unmarshal(w.body.Bytes(), result); err != nil {
		return nil, fmt.Errorf("the gateway's answer cannot be read: %w", err)
	}
	return w.header, nil
}

// refusal is a response of the gateway other than 2xx.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// errorText returns the error in a response. Caddy's admin endpoint writes
// {"error": …}.
func errorText(w *recorder) string {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(w.body.Bytes(), &said) == nil && said.Error != "" {
		return said.Error
	}
	if text := strings.TrimSpace(w.body.String()); text != "" && len(text) < 500 && !strings.HasPrefix(text, "<") {
		return text
	}
	return fmt.Sprintf("the gateway answered %d %s", w.status, http.StatusText(w.status))
}

// outside returns a context that ends with another one and has none of its
// values: the request to the gateway is not part of the request for the page.
func outside(ctx context.Context) context.Context {
	return valueless{ctx}
}

type valueless struct{ context.Context }

func (valueless) Value(any) any { return nil }

// recorder stores a response.
type recorder struct {
	header   http.Header
	status   int
	body     bytes.Buffer
	tooLarge bool
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len()+len(b) > maxAnswer {
		w.tooLarge = true
		return 0, errors.New("the answer is too large")
	}
	return w.body.Write(b)
}

// newsWithin is how long a request for news waits. It is short enough for any
// proxy, and for a gateway whose numbers begin again after a restart.
const newsWithin = 20 * time.Second

// waitForNews answers as soon as the gateway has a delivery after the given
// number, or when none has arrived for a while. The page then reads the list
// again, at its own pace. So many deliveries cost the page no more than one,
// and an open page never falls behind.
func (p *Page) waitForNews(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(outside(r.Context()), newsWithin)
	defer cancel()
	if p.Closing != nil {
		go func() {
			select {
			case <-p.Closing:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	query := filtersOf(r.URL.Query())
	query.Del("limit")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, deliveriesPath+"/follow?"+query.Encode(), http.NoBody)
	if err != nil {
		p.fail(w, r, http.StatusBadRequest, "These filters cannot be read.")
		return
	}
	first := &firstLine{recorder: recorder{header: http.Header{}}, found: cancel}
	p.Gateway.ServeHTTP(first, request)
	if first.status != http.StatusOK && ctx.Err() == nil {
		answer(w, http.StatusBadGateway, errorText(&first.recorder))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// firstLine ends a request when the first object of its response arrives.
type firstLine struct {
	recorder
	found func()
}

func (w *firstLine) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.status != http.StatusOK {
		return w.recorder.Write(b)
	}
	if bytes.ContainsRune(b, '{') {
		w.found()
	}
	return len(b), nil
}

// Flush does nothing, because Write has already seen everything.
func (w *firstLine) Flush() {}

// delivery is a delivery as the admin endpoint returns it.
type delivery struct{ deliveries.Whole }

// filtersOf returns the filters in a query. They are those of the admin
// endpoint, with the same names. Empty fields, which a form sends too, are left
// out.
func filtersOf(query url.Values) url.Values {
	filters := url.Values{}
	for _, name := range deliveries.Filters {
		if value := strings.TrimSpace(query.Get(name)); value != "" {
			filters.Set(name, value)
		}
	}
	return filters
}

// list returns the deliveries that pass some filters, the newest first. It
// reports whether the gateway remembers any deliveries at all.
func (p *Page) list(ctx context.Context, filters url.Values) (found []delivery, remembers bool, err error) {
	header, err := p.ask(ctx, http.MethodGet, deliveriesPath+"?"+filters.Encode(), &found)
	return found, header.Get("Webhook-Recent") != "off", err
}

// one returns a delivery.
func (p *Page) one(ctx context.Context, number uint64) (d delivery, err error) {
	_, err = p.ask(ctx, http.MethodGet, fmt.Sprintf("%s/%d", deliveriesPath, number), &d)
	return d, err
}

// entry is an entry of the inbox.
type entry = inbox.Listed

// inbox returns the entries of the inbox.
func (p *Page) inbox(ctx context.Context, filters url.Values) (found []entry, err error) {
	_, err = p.ask(ctx, http.MethodGet, inboxPath+"?"+filters.Encode(), &found)
	return found, err
}
