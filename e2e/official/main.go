// Command official lets the providers' own Go libraries sign and verify
// deliveries. It reads JSON lines and answers each with one; node/main.mjs speaks
// the same and says what stands in them.
//
// It is a program of its own, so that only the test that needs these libraries
// builds them.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"runtime/debug"
	"time"
)

// request asks for the libraries, for headers, or for a verdict if it has some.
type request struct {
	List    bool        `json:"list"`
	Library string      `json:"library"`
	Scheme  string      `json:"scheme"`
	Secret  string      `json:"secret"`
	Body    []byte      `json:"body_base64"`
	AtMS    int64       `json:"at_ms"`
	URL     string      `json:"url"`
	ID      string      `json:"id"`
	Headers [][2]string `json:"headers"`
}

// delivery is a request as the libraries want it.
type delivery struct {
	request
	at     time.Time
	header http.Header
}

type answer struct {
	Libraries []ability   `json:"libraries,omitempty"`
	Headers   [][2]string `json:"headers,omitempty"`
	Accepted  bool        `json:"accepted,omitempty"`
	Refused   string      `json:"refused,omitempty"`
	Error     string      `json:"error,omitempty"`
}

type ability struct {
	Library    string `json:"library"`
	Version    string `json:"version"`
	Scheme     string `json:"scheme"`
	Bodies     string `json:"bodies"`
	Signs      bool   `json:"signs"`
	Verifies   bool   `json:"verifies"`
	JudgesTime bool   `json:"judges_time"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(in io.Reader, out io.Writer) error {
	questions, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var r request
		if err := questions.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := answers.Encode(r.answer()); err != nil {
			return err
		}
	}
}

func (r request) answer() answer {
	if r.List {
		return answer{Libraries: abilities()}
	}
	l := find(r.Library, r.Scheme)
	if l == nil {
		return answer{Error: "no such library for this scheme"}
	}
	d := delivery{r, time.UnixMilli(r.AtMS), http.Header{}}
	for _, h := range r.Headers {
		d.header.Add(h[0], h[1])
	}
	if r.Headers == nil {
		headers, err := l.sign(d)
		if err != nil {
			return answer{Error: err.Error()}
		}
		return answer{Headers: headers}
	}
	if err := l.verify(d); err != nil {
		return answer{Refused: err.Error()}
	}
	return answer{Accepted: true}
}

func abilities() []ability {
	versions := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
		}
	}
	var list []ability
	for _, l := range libraries {
		// All of them take bytes as they come.
		list = append(list, ability{
			l.module, versions[l.module], l.scheme, "any",
			l.sign != nil, l.verify != nil, l.judgesTime,
		})
	}
	return list
}
