package schemes

import (
	"strings"
	"testing"
	"time"
)

// BenchmarkVerify measures an authentic delivery of 2 KiB for each scheme:
// begin, write, verify, close.
func BenchmarkVerify(b *testing.B) {
	body := []byte("{" + strings.Repeat("x", 2047))
	for _, s := range All() {
		b.Run(s.Name(), func(b *testing.B) {
			r := requestOf(s, signSample(b, s, body, time.Unix(1e9, 0)), body)
			v, err := s.NewVerifier([]string{sampleOf(s).secrets[0]})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				d, err := v.Begin(r)
				if err != nil {
					b.Fatal(err)
				}
				d.Write(body)
				if _, err := d.Authenticate(); err != nil {
					b.Fatal(err)
				}
				d.Close()
			}
		})
	}
}
