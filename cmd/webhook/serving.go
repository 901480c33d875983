package webhook

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module"
	"github.com/hooklatch/hooklatch/module/deliveries"
	"github.com/hooklatch/hooklatch/module/inspector"
)

// served is a gateway that a command runs in its own process.
type served struct {
	caddyfile string
	// pageAt is the address of the page, on loopback; empty: no page.
	pageAt string
	// banner returns the text that is printed at start. It receives the page's
	// URL, which may be empty.
	banner func(page string) string
	// inbox is the file that keeps what the application does not take; empty: none.
	inbox string
}

// serve runs the gateway until Ctrl-C and prints a line for each request.
func (s served) serve(cmd *cobra.Command) error {
	config, err := adapt(s.caddyfile)
	if err != nil {
		return err
	}
	trapSignals()
	limitMemory()
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		return err
	}
	lines := make(chan string, 64)
	module.ObserveUnverified(func(r module.UnverifiedRequest) {
		select {
		case lines <- unverifiedLine(r):
		default: // a terminal that does not read must not block requests
		}
	})
	module.ObserveEnd(func(e module.Ending) { cmd.Print(s.ending(e)) })
	url, servePage, err := s.page()
	if err != nil {
		cmd.PrintErrf("Error: %v\n", err)
		return errUnsuccessful
	}
	if err := caddy.Run(&parsed); err != nil {
		cmd.PrintErrf("Error: %v\n", err)
		return errUnsuccessful
	}
	servePage()
	if err := write(cmd, s.banner(url)); err != nil {
		return err
	}
	return printLines(cmd, lines)
}

// trapSignals has Caddy end the process after Ctrl-C. Caddy does so in a goroutine
// that may start late on a busy machine. A signal before that would kill the process
// at once, so it is caught here and sent again.
func trapSignals() {
	early := make(chan os.Signal, 1)
	signal.Notify(early, os.Interrupt, syscall.SIGTERM)
	caddy.TrapSignals()
	go func() {
		const look, looks = 10 * time.Millisecond, 300
		caught := <-early
		for range looks {
			time.Sleep(look)
			if caddy.Exiting() { // Caddy has caught it too
				return
			}
		}
		if own, err := os.FindProcess(os.Getpid()); err == nil {
			_ = own.Signal(caught)
		}
	}()
}

// ending says after Ctrl-C what is not over yet.
func (s served) ending(e module.Ending) string {
	text := "\nEnding: "
	switch {
	case e.Handled > 0:
		text += count(e.Handled, "request is", "requests are") + " being handled, for at most " + graceSeconds + " more seconds"
	case e.Kept == 0:
		return text + "nothing waits.\n"
	default:
		text += "no request is being handled"
	}
	if e.Kept > 0 {
		text += "; " + count(e.Kept, "event waits", "events wait") + " in the inbox " + inLine(s.inbox) + " for the next start with it"
	}
	return text + ".\n"
}

// count writes a number with its noun and verb.
func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + more
}

func adapt(caddyfile string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), nil)
	return config, err
}

// page listens on the port of the page. The page is served after the gateway
// has started, and ends with the process.
func (s served) page() (url string, serve func(), err error) {
	if s.pageAt == "" {
		return "", func() {}, nil
	}
	content := &inspector.Page{Name: "this gateway"}
	page, err := openPage(s.pageAt, content)
	if err != nil {
		return "", nil, err
	}
	return page.url, func() {
		logger := caddy.Log().Named("page")
		content.Gateway = module.Admin(logger)
		go func() {
			logger.Error("the page is not served any more", zap.Error(page.serve()))
		}()
	}, nil
}

// printLines prints a line for each delivery and each line of the channel. It
// returns when printing fails; a signal ends the process.
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

// unverifiedLine returns the line for a request that is not a delivery.
func unverifiedLine(r module.UnverifiedRequest) string {
	status := ""
	if r.Status != 0 {
		status = strconv.Itoa(r.Status)
	}
	return fmt.Sprintf("-       %s  unverified  %s  %s  %dms\n",
		r.Time.Local().Format(time.TimeOnly), inLine(r.Method+" "+r.Path), inLine(status), r.Duration.Milliseconds())
}
