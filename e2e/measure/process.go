package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// CPU is the processor time that the process has used.
func (g *Gateway) CPU() (time.Duration, error) {
	// Nanoseconds, unlike the ticks in stat.
	var total time.Duration
	tasks, err := filepath.Glob(g.proc("task/*/schedstat"))
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		ran, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(n)
	}
	return total, nil
}

// ResetPeak makes Peak begin anew.
func (g *Gateway) ResetPeak() { _ = os.WriteFile(g.proc("clear_refs"), []byte("5"), 0) }

// Peak is the largest resident memory since ResetPeak, in KiB.
func (g *Gateway) Peak() int64 { return g.status("VmHWM:") }

// Resident is the resident memory now, in KiB.
func (g *Gateway) Resident() int64 { return g.status("VmRSS:") }

// Anonymous is the part of Resident that is memory of its own, in KiB. The rest is
// pages of files, which the kernel takes back when others need the memory.
func (g *Gateway) Anonymous() int64 { return g.status("RssAnon:") }

// Descriptors is the number of files and sockets that the process has open.
func (g *Gateway) Descriptors() int {
	entries, _ := os.ReadDir(g.proc("fd"))
	return len(entries)
}

func (g *Gateway) proc(name string) string {
	return fmt.Sprintf("/proc/%d/%s", g.cmd.Process.Pid, name)
}

// status is a number from the process's status, 0 if it cannot be read.
func (g *Gateway) status(name string) int64 {
	text, err := os.ReadFile(g.proc("status"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}
