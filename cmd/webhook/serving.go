package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/module"
)

// serve runs a Caddyfile until Ctrl-C and prints a line for each request.
func serve(cmd *cobra.Command, caddyfile, banner string) error {
	config, err := adapt(caddyfile)
	if err != nil {
		return err
	}
	return serveJSON(cmd, config, banner)
}

func adapt(caddyfile string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	return config, err
}

func serveJSON(cmd *cobra.Command, config []byte, banner string) error {
	caddy.TrapSignals()
	limitMemory()
	out := cmd.OutOrStdout()
	module.ObserveUnverified(func(r module.UnverifiedRequest) {
		_, _ = fmt.Fprint(out, unverifiedLine(r)) // there is nobody to tell that the terminal is gone
	})
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		return err
	}
	if err := caddy.Run(&parsed); err != nil {
		cmd.PrintErrf("Error: %v\n", err)
		return errUnsuccessful
	}
	if err := write(cmd, banner); err != nil {
		return err
	}
	select {} // the signal ends the process
}

// limitMemory sets the limits that `run` sets.
func limitMemory() {
	_, _ = memlimit.Set(memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
}

// unverifiedLine is the line of a request that is no delivery.
func unverifiedLine(r module.UnverifiedRequest) string {
	status := "-"
	if r.Status != 0 {
		status = fmt.Sprint(r.Status)
	}
	return strings.Join([]string{
		"-     ", r.Time.Local().Format(time.TimeOnly), "not a delivery",
		visible(r.Method + " " + r.Path), status, fmt.Sprint(r.Duration.Round(time.Millisecond)),
	}, "  ") + "\n"
}
