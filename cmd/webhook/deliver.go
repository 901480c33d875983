package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/module"
	"github.com/hooklatch/hooklatch/module/deliveries"
)

func deliverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deliver N [--to URL] [--address ADMIN]",
		Short: "Delivers a captured delivery to the application again",
		Long: `Has a running gateway deliver the delivery with the number N again, as list and
tail print it. It must be captured and authentic. It goes through the routes of
its site, and the history of deliveries stays true: the application gets the same
Webhook-Id.

With --to, this command sends the delivery to a URL instead, such as a developer's
machine: method, headers and body as the provider sent them, also if it was
rejected. Only Webhook-… headers that the provider does not sign are left out. It
follows no redirects and uses no HTTP_PROXY. The signature is a live one: anyone who
gets it can send it to the gateway.

Exit status: 0 the answer was 2xx; 1 another answer, unknown, not captured, not
authentic, being handled right now, or the gateway cannot be reached; 2 wrong
usage.`,
		Example: `  hooklatch webhook deliver 483201
  hooklatch webhook deliver 483201 --to http://localhost:3000/hooks`,
		DisableFlagsInUseLine: true,
	}
	to := newOption(cmd, "to", "URL", "send it there instead")
	address := newOption(cmd, "address", "ADMIN", adminUsage)
	cmd.RunE = ending(func(cmd *cobra.Command, args []string) error {
		number, err := numberOf(args)
		if err != nil {
			return err
		}
		a, err := newAdminClient(address)
		if err != nil {
			return err
		}
		if to.text == "" {
			return a.deliver(cmd, number)
		}
		if err := checkURL(to); err != nil {
			return err
		}
		return a.deliverTo(cmd, number, to.text)
	})
	return cmd
}

// deliver makes the gateway deliver a delivery again.
func (a *adminClient) deliver(cmd *cobra.Command, number uint64) error {
	var result struct {
		Status int    `json:"status"`
		ID     string `json:"id"`
	}
	path := deliveriesPath + "/" + strconv.FormatUint(number, 10) + "/deliver"
	if err := a.ask(cmd.Context(), http.MethodPost, path, &result); err != nil {
		return unreached(cmd, err)
	}
	if result.Status < 200 || result.Status > 299 {
		return unreached(cmd, fmt.Errorf("not delivered: %s; the answer was %d", inLine(result.ID), result.Status))
	}
	return write(cmd, fmt.Sprintf("delivered again: %s; the application answered %d\n", inLine(result.ID), result.Status))
}

// deliverTo sends a delivery to a URL and prints the answer.
func (a *adminClient) deliverTo(cmd *cobra.Command, number uint64, to string) error {
	var d deliveries.Whole
	if err := a.ask(cmd.Context(), http.MethodGet, deliveriesPath+"/"+strconv.FormatUint(number, 10), &d); err != nil {
		return unreached(cmd, err)
	}
	if !d.Captured {
		return unreached(cmd, errors.New("nothing was captured of this delivery, so there is nothing to send"))
	}
	header := http.Header(d.Headers).Clone()
	for _, names := range header["Connection"] {
		for name := range strings.SplitSeq(names, ",") {
			header.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range []string{"Host", "Content-Length", "Connection", "Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"} {
		header.Del(name) // these belong to the original connection
	}
	module.RemoveForged(header, d.Scheme)
	client := newSender()
	client.Transport = &http.Transport{} // without a proxy, which would see a valid signature
	defer client.CloseIdleConnections()
	status, answer, err := exchange(cmd.Context(), client, d.Method, to, header, d.Body)
	if err != nil {
		return unreached(cmd, err)
	}
	if err := write(cmd, answer); err != nil {
		return err
	}
	if status < 200 || status > 299 {
		return errUnsuccessful
	}
	return nil
}

func rejudgeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rejudge --provider P [--tenant T] [--address ADMIN]",
		Short: "Verifies captured rejected deliveries again, and delivers the authentic ones",
		Long: `Has a running gateway verify the captured rejected deliveries of a label again,
under the configuration that it has now: for example after a wrong secret was
corrected. The oldest comes first. The time that a delivery was signed at is judged
by when it arrived. What is authentic goes to the application and into the history,
so that the provider's retry is a duplicate. It stops where the answer is 503. Run it
again for the rest: the one that it stopped at then comes last.

Exit status: 0 all were judged; 1 it stopped, unknown label, or the gateway cannot
be reached; 2 wrong usage.`,
		Example:               `  hooklatch webhook rejudge --provider stripe`,
		Args:                  noArgs,
		DisableFlagsInUseLine: true,
	}
	provider := newOption(cmd, "provider", "P", "the label")
	tenant := newOption(cmd, "tenant", "T", "only those of a tenant")
	address := newOption(cmd, "address", "ADMIN", adminUsage)
	cmd.RunE = ending(func(cmd *cobra.Command, _ []string) error {
		if err := required(provider); err != nil {
			return err
		}
		a, err := newAdminClient(address)
		if err != nil {
			return err
		}
		path := "/verify_webhook/rejudge/" + url.PathEscape(provider.text)
		if tenant.text != "" {
			path += "?" + url.Values{"tenant": {tenant.text}}.Encode()
		}
		var result struct {
			Judged    int    `json:"judged"`
			Delivered int    `json:"delivered"`
			Stopped   string `json:"stopped"`
		}
		if err := a.ask(cmd.Context(), http.MethodPost, path, &result); err != nil {
			return unreached(cmd, err)
		}
		if err := write(cmd, fmt.Sprintf("judged again: %d, delivered: %d\n", result.Judged, result.Delivered)); err != nil {
			return err
		}
		if result.Stopped != "" {
			return unreached(cmd, fmt.Errorf("stopped at one that was not taken now: %s; run it again for the rest, which then comes first", inLine(result.Stopped)))
		}
		return nil
	})
	return cmd
}
