// Package e2e tests the real binary from outside: built by the real xcaddy,
// started on free ports, spoken to over HTTP by several clients.
package e2e

import (
	"os"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
