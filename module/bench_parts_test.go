package module

import (
	"net/http"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// BenchmarkHeaders measures the work on headers: removing forged ones and
// setting those for the application.
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
