// Command bench measures what a verified delivery costs the process of a gateway,
// beside another process of the same binary with a plain reverse_proxy in the same
// run: this machine may be busy, so only the ratio of two neighbouring
// measurements means something. All traffic stays on loopback and is bounded in
// number.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
)

func main() {
	binary := flag.String("binary", "../bin/hooklatch", "the gateway to measure")
	rounds := flag.Int("rounds", 5, "how often everything is measured; the median counts")
	scale := flag.Float64("scale", 1, "how many requests, as a factor")
	only := flag.String("only", "", "measure only the loads whose name contains this")
	profileTo := flag.String("profile", "", "write CPU profiles of all gateways, ten seconds of the run, to files with this beginning")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*binary, *rounds, *scale, *only, *profileTo); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func run(binary string, rounds int, scale float64, only, profileTo string) error {
	upstream, err := startUpstream()
	if err != nil {
		return err
	}
	defer upstream.Close()
	folder, err := os.MkdirTemp("", "hooklatch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	g, err := startGateways(binary, upstream.addr, folder)
	if err != nil {
		return err
	}
	defer g.stop()

	if profileTo != "" {
		profiled := make(chan error, 1)
		go func() { profiled <- g.profile(profileTo) }()
		defer func() {
			if err := <-profiled; err != nil {
				log.Printf("profile: %v", err)
			}
		}()
	}
	results := map[string][]pair{}
	for round := range rounds {
		for _, c := range cases() {
			if !strings.Contains(c.name, only) {
				continue
			}
			c.requests = max(int(float64(c.requests)*scale), 2*connections)
			p, err := measurePair(g, c, round)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			results[c.name] = append(results[c.name], p)
		}
	}
	if len(results) > 0 {
		report(results)
	}
	if strings.Contains(recentName, only) {
		if err := measureRecent(g.verifying, rounds, scale); err != nil {
			return fmt.Errorf("%s: %w", recentName, err)
		}
	}
	if strings.Contains(pageName, only) {
		if err := measurePage(binary, g.verifying, rounds, scale); err != nil {
			return fmt.Errorf("%s: %w", pageName, err)
		}
	}
	if !strings.Contains(alwaysName, only) {
		return nil
	}
	return measureAlways(binary, upstream.addr, folder, rounds, scale)
}
