package module

import (
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hooklatch/hooklatch/module/deliveries"
)

// BenchmarkRecent serves accepted deliveries with `recent 1000` and with `recent
// 0` by turns, a few milliseconds each, so that what else the machine does concerns
// both. It reports the CPU time of one delivery without the list, the median of
// what the list adds, and between which bounds that is with a probability of 95 %.
// Garbage is collected in between, because one collection costs more than all that
// is compared; how much more of it the list makes is reported too.
func BenchmarkRecent(b *testing.B) {
	const block = 200
	defer func(list *deliveries.List) { recent = list }(recent)
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	lists := []*deliveries.List{deliveries.NewList(), deliveries.NewList()}
	lists[1].Resize(b, defaultRecent)
	serve := serving(b, `{"store":"none"}`, craneops(benchBody))
	recent = lists[1]
	for range 2 * defaultRecent { // the list is full when it counts
		serve()
	}
	var cpu [2][]float64
	var bytes [2]uint64
	var added []float64
	for b.Loop() {
		var each [2]float64
		for turn := range lists {
			room := (turn + len(added)) % len(lists)
			recent = lists[room]
			runtime.GC()
			before, began := allocated(), threadTime(b)
			for range block {
				serve()
			}
			each[room] = float64((threadTime(b) - began).Nanoseconds()) / block
			bytes[room] += allocated() - before
			cpu[room] = append(cpu[room], each[room])
		}
		added = append(added, each[1]-each[0])
	}
	slices.Sort(cpu[0])
	slices.Sort(added)
	middle, half := len(added)/2, int(1.96*math.Sqrt(float64(len(added)))/2)
	b.ReportMetric(cpu[0][middle], "ns-delivery")
	b.ReportMetric(added[middle], "ns-list")
	b.ReportMetric(added[max(middle-half, 0)], "ns-list-low")
	b.ReportMetric(added[min(middle+half, len(added)-1)], "ns-list-high")
	served := float64(block * len(added))
	b.ReportMetric(float64(bytes[0])/served, "B-delivery")
	b.ReportMetric((float64(bytes[1])-float64(bytes[0]))/served, "B-list")
}

// threadTime is the processor time of this thread. Getrusage would give it only as
// of the last tick.
func threadTime(b *testing.B) time.Duration {
	const clock = 3 // CLOCK_THREAD_CPUTIME_ID
	var at syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&at)), 0); errno != 0 {
		b.Fatal(errno)
	}
	return time.Duration(at.Nano())
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
