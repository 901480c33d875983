package harness

import (
	"strconv"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/ports"
)

// FreePort returns a port for one server of this test.
func FreePort(t *testing.T) string {
	t.Helper()
	port, err := ports.Take(1)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}
