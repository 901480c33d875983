// Package e2e tests the real binary from outside. The real xcaddy builds it, it
// listens on free ports, and several clients use it over HTTP.
package e2e

import (
	"os"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
