package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

//go:embed sign.mjs
var script string

// signer signs with Node's crypto: a verifier that is only checked against our
// own signer could share its mistakes.
type signer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startSigner() (*signer, error) {
	s := &signer{cmd: exec.Command("node", "--input-type=module", "--eval", script)} //nolint:gosec // the script is ours
	s.cmd.Stderr = os.Stderr
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting node, which signs: %w", err)
	}
	s.in, s.out = in, bufio.NewScanner(out)
	return s, nil
}

func (s *signer) close() error {
	return errors.Join(s.in.Close(), s.cmd.Wait())
}

// question is a request to the script. The comment at the head of the script
// describes the fields.
type question struct {
	Op        string `json:"op"`
	Algorithm string `json:"algorithm"`
	Form      string `json:"form,omitempty"`
	Key       []byte `json:"key"`
	Private   string `json:"private,omitempty"`
	Text      []byte `json:"text"`
}

type reply struct {
	Public, Private, Error string
	Signature              []byte
}

func (s *signer) ask(q question) (r reply, err error) {
	line, err := json.Marshal(q)
	if err != nil {
		return r, err
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		return r, fmt.Errorf("asking the signer: %w", err)
	}
	if !s.out.Scan() {
		return r, errors.New("the signer has ended")
	}
	if err := json.Unmarshal(s.out.Bytes(), &r); err != nil {
		return r, err
	}
	if r.Error != "" {
		return r, errors.New("the signer: " + r.Error)
	}
	return r, nil
}
