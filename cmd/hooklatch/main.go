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
	// The version of this module, a tag or time and commit, is printed before
	// Caddy's own version.
	if build, ok := debug.ReadBuildInfo(); ok && caddy.CustomVersion == "" {
		caddy.CustomVersion = "hooklatch " + build.Main.Version + ", caddy"
	}
	caddy.CustomBinaryName = "hooklatch"
	if asksForHelp(os.Args[1:]) {
		os.Exit(help())
	}
	caddycmd.Main()
}
