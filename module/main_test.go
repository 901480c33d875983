package module

import (
	"flag"
	"log"
	"os"
	"testing"
)

// TestMain silences Caddy, which logs every configuration that a test loads: the
// few lines of a test that fails would drown. With -v all of it is there.
func TestMain(m *testing.M) {
	flag.Parse()
	if !testing.Verbose() {
		nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			log.Fatal(err)
		}
		os.Stderr = nowhere // as Caddy finds it; what the runtime writes goes on
	}
	os.Exit(m.Run())
}
