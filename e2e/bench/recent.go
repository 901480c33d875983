package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/hooklatch/hooklatch/e2e/measure"
)

// recentName is for -only.
const recentName = "recent"

// measureRecent prints what the list of recent deliveries costs. A whole gateway
// differs by several percent from one moment to the next, and the list costs less
// than one. So the list is measured in the handler alone, by turns with none (see
// BenchmarkRecent), and compared with what a delivery costs the whole gateway.
func measureRecent(g *measure.Gateway, rounds int, scale float64) error {
	const requests = 8000
	var whole []time.Duration
	for range rounds {
		m, err := load(g, max(int(requests*scale), 2*connections), 204, deliveries("/hook", 2*kib, true, first, nil))
		if err != nil {
			return err
		}
		whole = append(whole, m.cpu)
	}
	slices.Sort(whole)
	list, err := benchmarkRecent(max(int(float64(400*rounds)*scale), 20))
	if err != nil {
		return err
	}
	cpu := float64(whole[len(whole)/2].Nanoseconds())
	percent := func(metric string) float64 { return 100 * list[metric] / cpu }
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nload\tagainst\tCPU of the list\tof a delivery\tratio\tthe median is within (95 %)\ttarget\t")
	fmt.Fprintf(w, "2 KiB, new, recent 1000\trecent 0\t%.0f ns\t%.1f µs\t%+.2f %%\t%+.2f to %+.2f %%\t1.00 %%\t\n",
		list["ns-list"], cpu/1000, percent("ns-list"), percent("ns-list-low"), percent("ns-list-high"))
	return w.Flush()
}

// metric is a figure of a benchmark.
var metric = regexp.MustCompile(`(-?[0-9.]+) (ns-[a-z0-9-]+)`)

// benchmarkRecent runs the benchmark with so many pairs and returns its figures.
func benchmarkRecent(pairs int) (map[string]float64, error) {
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkRecent$", "-benchtime", strconv.Itoa(pairs)+"x", "./module")
	cmd.Dir = ".."
	said, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	figures := map[string]float64{}
	for _, m := range metric.FindAllStringSubmatch(string(said), -1) {
		if figures[m[2]], err = strconv.ParseFloat(m[1], 64); err != nil {
			return nil, err
		}
	}
	if len(figures) == 0 {
		return nil, errors.New("the benchmark printed no figures: " + string(said))
	}
	return figures, nil
}
