package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// report prints the medians of all rounds; ratios are medians of ratios.
func report(results map[string][]pair) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "load\tagainst\tCPU/request\tbaseline\tratio\ttarget\trequests/s\tratio\tp99\tratio\tpeak MiB\tratio\t")
	for _, c := range cases() {
		pairs := results[c.name]
		if len(pairs) == 0 {
			continue
		}
		cpu := median(pairs, func(p pair) float64 { return float64(p.subject.cpu) })
		base := median(pairs, func(p pair) float64 { return float64(p.base.cpu) })
		fmt.Fprintf(w, "%s\t%s\t%v\t%v\t%.2f\t%.2f\t%.0f\t%.2f\t%v\t%.2f\t%.0f\t%.2f\t\n",
			c.name, c.against,
			time.Duration(cpu).Round(100*time.Nanosecond), time.Duration(base).Round(100*time.Nanosecond),
			median(pairs, func(p pair) float64 { return float64(p.subject.cpu) / float64(p.base.cpu) }),
			median(pairs, func(p pair) float64 { return p.target }),
			median(pairs, func(p pair) float64 { return p.subject.rate }),
			median(pairs, func(p pair) float64 { return p.subject.rate / p.base.rate }),
			time.Duration(median(pairs, func(p pair) float64 { return float64(p.subject.p99) })).Round(10*time.Microsecond),
			median(pairs, func(p pair) float64 { return float64(p.subject.p99) / float64(p.base.p99) }),
			median(pairs, func(p pair) float64 { return float64(p.subject.peakKiB) / 1024 }),
			median(pairs, func(p pair) float64 { return float64(p.subject.peakKiB) / float64(p.base.peakKiB) }))
	}
	w.Flush()
}

func median(pairs []pair, of func(pair) float64) float64 {
	values := make([]float64, len(pairs))
	for i, p := range pairs {
		values[i] = of(p)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
