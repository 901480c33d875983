package schemestest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Exchange asks an implementation in any language. It writes the vector as one
// line of JSON and reads one line: accept, or reject with an optional reason.
func Exchange(out io.Writer, in *bufio.Reader, v Vector) (Answer, error) {
	line, err := json.Marshal(v)
	if err != nil {
		return Answer{}, err
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		return Answer{}, fmt.Errorf("asking: %w", err)
	}
	said, err := in.ReadString('\n')
	if err != nil {
		return Answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	return parseAnswer(strings.Fields(said))
}

func parseAnswer(words []string) (Answer, error) {
	switch {
	case len(words) == 1 && words[0] == string(Accept):
		return Answer{Accepted: true}, nil
	case len(words) == 1 && words[0] == string(Reject):
		return Answer{}, nil
	case len(words) == 2 && words[0] == string(Reject):
		return Answer{Reason: words[1]}, nil
	}
	return Answer{}, errors.New("the answer is neither accept nor reject, with a reason or without one")
}
