package webhook

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/module"
	"github.com/hooklatch/hooklatch/module/deliveries"
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
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		return err
	}
	lines := make(chan string, 64)
	module.ObserveUnverified(func(r module.UnverifiedRequest) {
		select {
		case lines <- unverifiedLine(r):
		default: // a terminal that does not read must hold up nobody
		}
	})
	if err := caddy.Run(&parsed); err != nil {
		cmd.PrintErrf("Error: %v\n", err)
		return errUnsuccessful
	}
	if err := write(cmd, banner); err != nil {
		return err
	}
	return printLines(cmd, lines)
}

// printLines prints a line for each delivery and each line of the channel. It ends
// when nothing can be printed any more; a signal ends the process.
func printLines(cmd *cobra.Command, lines <-chan string) error {
	var last uint64
	for {
		follower := module.FollowDeliveries(deliveries.Filter{After: last})
		for _, d := range follower.Backlog {
			last = d.Number
			if err := write(cmd, deliveryLine(&d)); err != nil {
				return err
			}
		}
		for open := true; open; {
			var d deliveries.Delivery
			select {
			case line := <-lines:
				if err := write(cmd, line); err != nil {
					return err
				}
				continue
			case d, open = <-follower.Coming():
			}
			if !open || d.Number <= last {
				continue
			}
			last = d.Number
			if err := write(cmd, deliveryLine(&d)); err != nil {
				return err
			}
		}
	}
}

// limitMemory sets the limits that `run` sets.
func limitMemory() {
	_, _ = memlimit.Set(memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
}

// unverifiedLine is the line of a request that is no delivery.
func unverifiedLine(r module.UnverifiedRequest) string {
	status := ""
	if r.Status != 0 {
		status = strconv.Itoa(r.Status)
	}
	return fmt.Sprintf("-       %s  unverified  %s  %s  %dms\n",
		r.Time.Local().Format(time.TimeOnly), inLine(r.Method+" "+r.Path), inLine(status), r.Duration.Milliseconds())
}
