// Command hooklatch is Caddy with its standard modules and Hooklatch.
package main

import (
	"os"
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/hooklatch/hooklatch"
)

func main() {
	// What Go knows of this module stands in front of Caddy's own version: the
	// tag, or time and commit.
	if build, ok := debug.ReadBuildInfo(); ok && caddy.CustomVersion == "" {
		caddy.CustomVersion = "hooklatch " + build.Main.Version + ", caddy"
	}
	caddy.CustomBinaryName = "hooklatch"
	if asksForHelp(os.Args[1:]) {
		os.Exit(help())
	}
	caddycmd.Main()
}
