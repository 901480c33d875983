// Command judge verifies deliveries with the registered schemes, for tests that
// compare them with other implementations. It reads a question as a line of JSON
// and answers with one:
//
//	{"scheme","secret","method","url","headers":[["Name","value"],...],"body_base64","now_ms","judge_time":true}
//	{"accepted":true} or {"refused":"why"}
//
// The URL is the one that the sender was given: as HTTP does, it is sent with a
// slash where it has no path. With judge_time a time in the body is judged too.
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
		a := answer{Accepted: true}
		if err := q.verify(); err != nil {
			a = answer{Refused: err.Error()}
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
	}
}

// verify judges a delivery as a gateway does that its sender reaches at the URL.
func (q *question) verify() error {
	options := []schemes.Option{schemes.Clock(func() time.Time { return time.UnixMilli(q.NowMS) })}
	if q.JudgeTime {
		options = append(options, schemes.Tolerance(0, 0))
	}
	v, err := schemes.NewVerifier(q.Scheme, []string{q.Secret}, options...)
	if err != nil {
		return err
	}
	_, err = v.Verify(q.request(), q.Body)
	return err
}

// request is the delivery as net/http reads it.
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
