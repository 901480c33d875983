package inspector

import (
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	slots       = 60 // of time, side by side
	leastSlots  = 24 // so that a column does not become a wall
	slotWidth   = 10 // in units of the picture
	barWidth    = 8  // leaves a gap
	chartHeight = 64
	leastHeight = 2.5 // of any part that is not empty
)

// chart shows how many deliveries had which outcome over time.
type chart struct {
	Bars       []bar
	From, To   time.Time
	Width      int
	Height     int
	Most       int // in one slot
	SlotLength time.Duration
}

// bar is a part of a column.
type bar struct {
	Outcome    outcome
	X, Y, W, H float64
	Count      int
	Begins     time.Time
}

// newChart counts deliveries, which are sorted by number, the newest first.
func newChart(all []delivery, now time.Time) chart {
	c := chart{Width: slots * slotWidth, Height: chartHeight, To: now}
	if len(all) == 0 {
		return c
	}
	first := all[0].Time.Time
	for i := range all {
		if all[i].Time.Before(first) {
			first = all[i].Time.Time
		}
		if all[i].Time.After(c.To) { // the gateway's clock may be ahead of ours
			c.To = all[i].Time.Time
		}
	}
	c.SlotLength = roundSlot(c.To.Sub(first) / (slots - 1))
	end := c.To.Truncate(c.SlotLength).Add(c.SlotLength)
	n := min(slots, max(leastSlots, int(end.Sub(first.Truncate(c.SlotLength))/c.SlotLength)))
	c.From, c.Width = end.Add(-time.Duration(n)*c.SlotLength), n*slotWidth
	var counts [slots]map[outcome]int
	for i := range all {
		slot := int(all[i].Time.Sub(c.From) / c.SlotLength)
		if slot < 0 || slot >= n {
			continue
		}
		if counts[slot] == nil {
			counts[slot] = map[outcome]int{}
		}
		counts[slot][all[i].Outcome()]++
	}
	for _, slot := range counts {
		sum := 0
		for _, count := range slot {
			sum += count
		}
		c.Most = max(c.Most, sum)
	}
	for i, slot := range counts {
		c.column(i, slot)
	}
	return c
}

// column stacks the parts of one slot. The height follows the square root of
// the count, so that one rejected delivery is visible next to a hundred
// accepted ones.
func (c *chart) column(i int, slot map[outcome]int) {
	n := 0
	for _, count := range slot {
		n += count
	}
	if n == 0 {
		return
	}
	height := float64(chartHeight) * math.Sqrt(float64(n)/float64(c.Most))
	height = max(height, leastHeight*float64(len(slot)))
	spare := height - leastHeight*float64(len(slot))
	y := float64(chartHeight)
	for _, o := range outcomes {
		count := slot[o]
		if count == 0 {
			continue
		}
		h := leastHeight + spare*float64(count)/float64(n)
		y -= h
		c.Bars = append(c.Bars, bar{
			Outcome: o, Count: count, Begins: c.From.Add(time.Duration(i) * c.SlotLength),
			X: float64(i*slotWidth) + 1, W: barWidth, Y: math.Round(y*10) / 10, H: math.Round(h*10) / 10,
		})
	}
}

// roundSlot returns the next length that is natural for a slot, such as 5
// minutes.
func roundSlot(d time.Duration) time.Duration {
	for _, length := range []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	} {
		if d <= length {
			return length
		}
	}
	const day = 24 * time.Hour
	return (d + day - 1).Truncate(day)
}

// Description describes the picture for people who cannot see it.
func (page *listPage) Description() string {
	counts := make([]string, len(page.Totals))
	for i, t := range page.Totals {
		counts[i] = fmt.Sprintf("%d %s", t.Count, t.Outcome.words())
	}
	return "Deliveries over time: " + strings.Join(counts, ", ") + "."
}

// Title is the label of a part of a column.
func (b bar) Title() string {
	return fmt.Sprintf("%s UTC: %d %s", b.Begins.Format("15:04:05"), b.Count, b.Outcome.words())
}
