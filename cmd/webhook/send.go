package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	maxRepeat = 1000
	// answerTimeout is longer than a gateway waits for its application by
	// default, so that the user sees the gateway's own answer.
	answerTimeout = time.Minute
	maxAnswer     = 64 << 10 // bytes of an answer's body that are printed
)

func (c *command) sendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "send (--scheme S | --definition FILE) --secret K --to URL [--event E] [--id I] [--at TIME] [--url URL] [--method METHOD] [--header 'Name: value'] [--repeat N] [FILE|-]",
		Short: "Signs a delivery, POSTs it and prints the answer",
		Long: `Signs a delivery, POSTs it and prints the answer: its status, its headers and
its body. Redirects are not followed. Exit status 0 if every answer was 2xx.`,
		Example: `  hooklatch webhook send --scheme cryptr --secret env:CRYPTR_SIGNATURE_KEY --to http://localhost:8080/cryptr body.json
  hooklatch webhook send --scheme cryptr --secret env:CRYPTR_SIGNATURE_KEY --to http://localhost:8080/cryptr --repeat 2 body.json`,
		Args:                  oneFile,
		DisableFlagsInUseLine: true,
	}
	s := &sender{
		signer: newSigner(c, cmd, "another header, `'Name: value'`, in place of one that the command sends; repeatable"),
		repeat: newOption(cmd, "repeat", "N", "send the same delivery N times; default: 1"),
	}
	s.to = newOption(cmd, "to", "URL", "where to")
	cmd.RunE = ending(s.run)
	return cmd
}

// sender holds the options of webhook send.
type sender struct {
	*signer
	repeat *option
}

func (s *sender) run(cmd *cobra.Command, args []string) error {
	if err := required(s.needed(s.secret, s.to)...); err != nil {
		return err
	}
	if err := checkURL(s.to); err != nil {
		return err
	}
	times, err := s.times()
	if err != nil {
		return err
	}
	d, err := s.sign(cmd, args)
	if err != nil {
		return err
	}
	d.header.Set("Content-Type", "application/json")
	maps.Copy(d.header, d.extra)
	return post(cmd, s.to.text, d, times)
}

// checkURL checks the URL that a delivery is sent to.
func checkURL(to *option) error {
	u, err := url.Parse(to.text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("--to is not a URL; write http:// or https://, a host and a path")
	}
	return nil
}

// times returns how often to send the delivery.
func (s *sender) times() (int, error) {
	if s.repeat.text == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(s.repeat.text)
	if err != nil || n < 1 || n > maxRepeat {
		return 0, fmt.Errorf("--repeat is not a number of deliveries; write 1 to %d", maxRepeat)
	}
	return n, nil
}

// post sends the delivery and prints the answers, one after the other.
func post(cmd *cobra.Command, to string, d *signed, times int) error {
	client := newSender()
	defer client.CloseIdleConnections()
	var unsuccessful error
	for i := range times {
		if times > 1 {
			if err := write(cmd, fmt.Sprintf("delivery %d of %d:\n", i+1, times)); err != nil {
				return err
			}
		}
		status, answer, err := exchange(cmd.Context(), client, http.MethodPost, to, d.header, d.body)
		if err != nil {
			cmd.PrintErrf("Error: %v\n", err)
			return errUnsuccessful
		}
		if err := write(cmd, answer); err != nil {
			return err
		}
		if status < 200 || status > 299 {
			unsuccessful = errUnsuccessful
		}
	}
	return unsuccessful
}

// newSender returns a client that follows no redirects.
func newSender() *http.Client {
	return &http.Client{
		Timeout:       answerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// exchange sends a delivery once and returns the answer's status and text.
func exchange(ctx context.Context, client *http.Client, method, to string, header http.Header, body []byte) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return 0, "", withoutURL(err)
	}
	req.Header = header.Clone()
	if host := header.Get("Host"); host != "" {
		req.Host = host // Go ignores a Host among the headers
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", fmt.Errorf("no answer: %w", withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, "", fmt.Errorf("the answer broke off: %w", withoutURL(err))
	}

	var out strings.Builder
	fmt.Fprintf(&out, "%s %s\n", resp.Proto, resp.Status)
	writeHeaders(&out, resp.Header, nil)
	out.WriteByte('\n')
	more := len(content) > maxAnswer
	out.Write(content[:min(len(content), maxAnswer)])
	if len(content) > 0 && content[len(content)-1] != '\n' {
		out.WriteByte('\n')
	}
	text := visible(out.String())
	if more {
		text += fmt.Sprintf("(only the first %d KiB of the body are shown)\n", maxAnswer>>10)
	}
	return resp.StatusCode, text, nil
}

// withoutURL removes the URL from an error, because it may contain a token.
func withoutURL(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}
