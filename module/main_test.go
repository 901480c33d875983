package module

import (
	"flag"
	"log"
	"os"
	"testing"
)

// TestMain silences Caddy, which logs every configuration that a test loads and
// would bury the few lines of a failing test. With -v nothing is silenced.
func TestMain(m *testing.M) {
	flag.Parse()
	if !testing.Verbose() {
		nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			log.Fatal(err)
		}
		os.Stderr = nowhere // for Caddy only; the runtime still writes to the real one
	}
	os.Exit(m.Run())
}
