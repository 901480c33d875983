package engine

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkMembers finds the members of an event and an id, at several places
// among members that are text or objects.
func BenchmarkMembers(b *testing.B) {
	asked := Paths("event", "data.id")
	for _, shape := range []struct{ name, filler string }{
		{"text", `"n%d":"` + strings.Repeat("abcdefghijklmnopqrstuvwxyz", 36) + `",`},
		{"objects", `"n%d":{"id":1234567,"login":"octocat","url":"https:\/\/api.example.com\/users\/1234567","admin":false,"tags":["a","b"]},`},
	} {
		for _, size := range []int{2 << 10, 64 << 10, 1 << 20} {
			var filler strings.Builder
			for n := 0; filler.Len() < size; n++ {
				fmt.Fprintf(&filler, shape.filler, n)
			}
			const wanted = `"event":"invoice.paid","data":{"id":"ev_1"},`
			for _, place := range []struct{ name, body string }{
				{"first", "{" + wanted + filler.String() + `"z":1}`},
				{"last", "{" + filler.String() + wanted + `"z":1}`},
				{"absent", "{" + filler.String() + `"z":1}`},
			} {
				b.Run(fmt.Sprintf("%s/%dKiB/%s", shape.name, size>>10, place.name), func(b *testing.B) {
					body := []byte(place.body)
					b.SetBytes(int64(len(body)))
					b.ReportAllocs()
					for b.Loop() {
						found, ok := Members(body, asked)
						if !ok || (found[1].Text() == "ev_1") != (place.name != "absent") {
							b.Fatal(found[1].Text())
						}
					}
				})
			}
		}
	}
}
