package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/module/deliveries"
)

// shownDelivery is one delivery as the admin endpoint returns it.
type shownDelivery struct{ deliveries.Whole }

// The files of --save. Their names are fixed, so that no sender can choose a
// file name.
const (
	savedHeaders = "headers.txt"
	savedBody    = "body.json"
)

func showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show N [--save DIR] [--json] [--address ADMIN]",
		Short: "Shows one delivery, and why it was rejected",
		Long: `Shows the delivery with the number N, as list and tail print it. If it was
captured, it also shows headers and body and, if it was rejected, which common
mistake explains that. --save writes headers.txt and body.json into a directory,
for webhook verify; it overwrites nothing.

Exit status: 0 shown; 1 unknown, not captured though --save is given, or the
gateway cannot be reached; 2 wrong usage.`,
		Example:               `  hooklatch webhook show 483202 --save delivery`,
		DisableFlagsInUseLine: true,
	}
	save := newOption(cmd, "save", "DIR", "write headers.txt and body.json there")
	asJSON := cmd.Flags().Bool("json", false, "print the JSON object as the gateway answers it")
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
		res, err := a.get(cmd.Context(), deliveriesPath+"/"+strconv.FormatUint(number, 10))
		if err != nil {
			return unreached(cmd, err)
		}
		defer func() { _ = res.Body.Close() }()
		var raw json.RawMessage
		var d shownDelivery
		if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
			return unreached(cmd, err)
		}
		if err := json.Unmarshal(raw, &d); err != nil {
			return unreached(cmd, err)
		}
		if *asJSON {
			err = write(cmd, string(raw)+"\n")
		} else {
			err = write(cmd, d.report())
		}
		if err == nil && save.text != "" {
			err = d.save(cmd, save.text)
		}
		return err
	})
	return cmd
}

// numberOf reads the number of a delivery from the arguments.
func numberOf(args []string) (uint64, error) {
	if len(args) == 1 {
		if number, err := strconv.ParseUint(args[0], 10, 64); err == nil {
			return number, nil
		}
	}
	return 0, errors.New("write the number of one delivery, as list prints it")
}

// report returns the known facts, one per line, followed by headers and body.
func (d *shownDelivery) report() string {
	var out strings.Builder
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&out, "%-15s %s\n", name+":", inLine(text))
		}
	}
	verdict := d.Verdict
	if d.Observed {
		verdict += " (observed, not enforced)"
	}
	row("number", strconv.FormatUint(d.Number, 10))
	row("time", d.Time.UTC().Format(time.RFC3339Nano))
	row("verdict", verdict)
	row("reason", d.Reason)
	row("hint", d.Hint)
	row("explained by", d.ExplainedBy)
	row("what to do", d.WhatToDo)
	row("provider", d.Provider)
	row("scheme", d.Scheme)
	row("tenant", d.Tenant)
	row("event", d.Event)
	row("id", d.ID)
	if d.Age != nil {
		row("age", (time.Duration(*d.Age) * time.Second).String())
	}
	if d.Status > 0 {
		row("status", strconv.Itoa(d.Status))
	}
	if d.Application > 0 {
		row("application", strconv.Itoa(d.Application))
	}
	row("request", strings.TrimSpace(d.Method+" "+d.Path))
	row("client", d.Client)
	row("size", inBytes(int(d.Size)))
	if !d.Captured {
		row("captured", "no; write capture in the handler's block, or --capture for webhook proxy, to keep deliveries whole; attempts of the inbox are not captured")
		return out.String()
	}
	row("uri", d.URI)
	out.WriteString("\n" + visible(d.HeadersText()) + "\n")
	out.WriteString(visible(string(d.Body)) + "\n")
	return out.String()
}

// save writes headers and body to files. It follows no links and overwrites
// nothing.
func (d *shownDelivery) save(cmd *cobra.Command, dir string) error {
	if !d.Captured {
		return unreached(cmd, errors.New("nothing was captured of this delivery, so there is nothing to save"))
	}
	const private, privateDir = 0o600, 0o700
	if err := os.MkdirAll(dir, privateDir); err != nil {
		return unreached(cmd, err)
	}
	for name, content := range map[string][]byte{savedHeaders: []byte(d.HeadersText()), savedBody: d.Body} {
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, private) //nolint:gosec // the directory is the user's, the name is fixed
		if err != nil {
			return unreached(cmd, err)
		}
		_, err = file.Write(content)
		if err = errors.Join(err, file.Close()); err != nil {
			return unreached(cmd, err)
		}
	}
	return write(cmd, "saved "+savedHeaders+" and "+savedBody+"\n")
}
