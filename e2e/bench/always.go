package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// alwaysName is for -only.
const alwaysName = "inbox always"

// measureAlways prints how many deliveries a second an inbox with mode always
// answers, with few and many at once, and how often a second the same disk syncs.
// Each is on the disk before its sender is answered, so one at a time cannot be
// more than the syncs; many at once share one.
func measureAlways(binary, upstream, folder string, rounds int, scale float64) error {
	g, err := start(binary, withInbox(filepath.Join(folder, "always.db"), "mode always")+"\t\treverse_proxy "+upstream+"\n")
	if err != nil {
		return err
	}
	defer g.Stop()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s, 2 KiB\tdeliveries/s\tp99\tsyncs/s of the disk\tdeliveries for each sync\t\n", alwaysName)
	for _, atOnce := range []int{1, 32, 256} {
		var rates, syncs []float64
		var p99s []time.Duration
		for range rounds {
			rate, err := syncRate(folder)
			if err != nil {
				return err
			}
			requests := max(int(float64(500+20*atOnce)*scale), 2*atOnce)
			m, err := loadOver(atOnce, g, requests, 200, deliveries("/hook", 2*kib, true, first, nil))
			if err != nil {
				return fmt.Errorf("%s, %d at once: %w", alwaysName, atOnce, err)
			}
			rates, syncs, p99s = append(rates, m.rate), append(syncs, rate), append(p99s, m.p99)
		}
		slices.Sort(rates)
		slices.Sort(syncs)
		slices.Sort(p99s)
		rate, each := rates[len(rates)/2], syncs[len(syncs)/2]
		fmt.Fprintf(w, "%d at once\t%.0f\t%v\t%.0f\t%.2f\t\n", atOnce, rate, p99s[len(p99s)/2].Round(10*time.Microsecond), each, rate/each)
	}
	return w.Flush()
}

// syncRate is how often a second 4 KiB are written and synced, one after the
// other.
func syncRate(folder string) (float64, error) {
	file, err := os.CreateTemp(folder, "sync-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	const enough = 500 * time.Millisecond
	block, n, began := make([]byte, 4*kib), 0, time.Now()
	for ; time.Since(began) < enough; n++ {
		if _, err := file.Write(block); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
