package module

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// BenchmarkBody reads bodies into pooled buffers, with a length that is declared
// and believed, with one that is not believed because others take the memory,
// and without one.
func BenchmarkBody(b *testing.B) {
	for _, size := range []int{2 << 10, 64 << 10, 1 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		tight := budget{total: int64(size), large: int64(size)}
		for name, l := range map[string]limits{
			"believed":     {declared: int64(size), most: 5 << 20, budget: newBudget(0)},
			"not believed": {declared: int64(size), most: 5 << 20, budget: tight},
			"chunked":      {declared: -1, most: 5 << 20, budget: newBudget(0)},
		} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				from := bytes.NewReader(body)
				var in intake
				for b.Loop() {
					from.Reset(body)
					if err := in.readAll(from, l, io.Discard); err != nil {
						b.Fatal(err)
					}
					in.giveBack()
				}
			})
		}
	}
}

// BenchmarkHeaders is the work on headers: what a sender made up is removed, and
// what the application receives is set.
func BenchmarkHeaders(b *testing.B) {
	b.Run("strip", func(b *testing.B) {
		b.ReportAllocs()
		r := &http.Request{Header: http.Header{
			"Content-Type": {"application/json"}, "Content-Length": {"2048"}, "User-Agent": {"bench"},
			"X-Craneops-Signature": {"0123"}, "X-Craneops-Event": {"bench"}, "Accept": {"*/*"},
		}}
		for b.Loop() {
			r.Header["Webhook-Verdict"] = []string{"forged"}
			stripForged(r, headerOptions{}, nil)
		}
	})
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		h := &Handler{Provider: "bench"}
		header := http.Header{}
		values := make([]string, 0, maxHeaders)
		for b.Loop() {
			d := &delivery{
				handler: h, sentHeader: true, sentAt: testTime,
				facts:      schemes.Event{Type: "user.created", OccurredAt: testTime.Add(-time.Minute), Tenant: "acme", Environment: "sandbox"},
				occurrence: schemes.Unsigned{Value: "job-1", Sent: true},
			}
			d.setHeaders(header, values)
		}
	})
}
