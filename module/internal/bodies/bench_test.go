package bodies

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// BenchmarkBody reads bodies into pooled buffers: with a declared length whose
// room is allocated at once, with a declared length while others take the
// memory, and without a declared length.
func BenchmarkBody(b *testing.B) {
	for _, size := range []int{2 << 10, 64 << 10, 1 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		tight := Budget{total: int64(size), large: int64(size)}
		for name, l := range map[string]Limits{
			"declared":           {Declared: int64(size), Most: 5 << 20, Budget: NewBudget(0)},
			"declared and tight": {Declared: int64(size), Most: 5 << 20, Budget: tight},
			"chunked":            {Declared: -1, Most: 5 << 20, Budget: NewBudget(0)},
		} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, name), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(size))
				from := bytes.NewReader(body)
				var in Buffer
				for b.Loop() {
					from.Reset(body)
					if err := in.ReadAll(from, l, io.Discard); err != nil {
						b.Fatal(err)
					}
					in.GiveBack()
				}
			})
		}
	}
}
