// Command judge verifies deliveries with the registered schemes, for tests that
// compare them with other implementations. It reads a question as a line of JSON
// and answers with one:
//
//	{"scheme","secret","method","url","headers":[["Name","value"],...],"body_base64","now_ms","judge_time":true}
//	{"accepted":true,"read":{"id","event","occurred_at_ms"}} or {"refused":"why"}
//
// The URL is the one that was given to the sender. As in HTTP, a URL without a
// path is sent with a slash. With judge_time a time in the body is checked too.
// The programs in e2e/official answer the same questions.
package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

type question struct {
	Scheme    string      `json:"scheme"`
	Secret    string      `json:"secret"`
	Method    string      `json:"method"`
	URL       string      `json:"url"`
	Headers   [][2]string `json:"headers"`
	Body      []byte      `json:"body_base64"`
	NowMS     int64       `json:"now_ms"`
	JudgeTime bool        `json:"judge_time"`
}

type answer struct {
	Accepted bool   `json:"accepted,omitempty"`
	Refused  string `json:"refused,omitempty"`
	Read     *read  `json:"read,omitempty"`
}

// read is what the verified delivery says of its event.
type read struct {
	ID         string `json:"id"`
	Event      string `json:"event"`
	OccurredMS int64  `json:"occurred_at_ms"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(in io.Reader, out io.Writer) error {
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var q question
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading a question: %w", err)
		}
		var a answer
		if event, err := q.verify(); err != nil {
			a.Refused = err.Error()
		} else {
			a.Accepted, a.Read = true, &read{ID: event.ID, Event: event.Type}
			if !event.OccurredAt.IsZero() {
				a.Read.OccurredMS = event.OccurredAt.UnixMilli()
			}
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
}

// verify checks a delivery like a gateway that the sender reaches at the URL.
func (q *question) verify() (schemes.Event, error) {
	options := []schemes.Option{schemes.Clock(func() time.Time { return time.UnixMilli(q.NowMS) })}
	if q.JudgeTime {
		options = append(options, schemes.Tolerance(0, 0))
	}
	v, err := schemes.NewVerifier(q.Scheme, []string{q.Secret}, options...)
	if err != nil {
		return schemes.Event{}, err
	}
	return v.Verify(q.request(), q.Body)
}

// request returns the delivery as net/http reads it.
func (q *question) request() *http.Request {
	r := &http.Request{Method: q.Method, Header: http.Header{}}
	for _, h := range q.Headers {
		r.Header.Add(h[0], h[1])
	}
	protocol, rest, _ := strings.Cut(q.URL, "://")
	if protocol == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	path := len(rest)
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		path = at
	}
	r.Host, r.RequestURI = rest[:path], rest[path:]
	if !strings.HasPrefix(r.RequestURI, "/") {
		r.RequestURI = "/" + r.RequestURI
	}
	return r
}
