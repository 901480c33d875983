// Command reliability puts the real binary under load and faults and prints
// what became of the deliveries. Sender, application and gateway run on one
// machine, all traffic stays on loopback, and everything is bounded in time and
// number. Times mean little by themselves there, so each stands beside one that
// was measured in the same run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	binary := flag.String("binary", "../bin/hooklatch", "the gateway to test")
	only := flag.String("only", "", "run only the scenarios whose name contains this")
	minutes := flag.Float64("minutes", 10, "how long the scenario `steady` goes on at full rate")
	rounds := flag.Int("rounds", whole.rounds, "how often the gateway is killed in `inbox-kill`")
	short := flag.Bool("short", false, "run everything with small numbers, as the tests do")
	flag.Parse()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	extent := whole
	extent.steady = time.Duration(*minutes * float64(time.Minute))
	extent.rounds = *rounds
	if *short {
		extent = small
	}
	if err := run(ctx, *binary, *only, extent); err != nil {
		log.Print(err)
		stop()
		os.Exit(1)
	}
}

// errFailed is a run in which something was not as expected.
var errFailed = errors.New("not everything was as expected; see the rows marked FAIL")

func run(ctx context.Context, binary, only string, extent extent) error {
	files, err := raiseDescriptors()
	if err != nil {
		return fmt.Errorf("raising the limit of open files: %w", err)
	}
	if most := affordable(extent.connections, files); most < extent.connections {
		fmt.Printf("the limit of %d open files allows %d connections, not %d\n", files, most, extent.connections)
		extent.connections = most
	}
	failed := false
	for _, s := range scenarios {
		if !strings.Contains(s.name, only) {
			continue
		}
		fmt.Printf("\n%s: %s\n", s.name, s.about)
		for _, p := range s.protocols {
			began := time.Now()
			t := &trial{binary: binary, protocol: p, extent: extent, print: func(r row) {
				fmt.Println(r)
				failed = failed || !r.ok
			}}
			if err := s.run(ctx, t); err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, p, err)
			}
			log.Printf("%s took %v", p, time.Since(began).Round(time.Second))
		}
	}
	if failed {
		return errFailed
	}
	return nil
}
