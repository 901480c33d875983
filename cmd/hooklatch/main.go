// Command hooklatch is Caddy with its standard modules and Hooklatch.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/hooklatch/hooklatch"
)

func main() { caddycmd.Main() }
