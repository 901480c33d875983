// Package hooklatch registers everything that Hooklatch adds to Caddy. Use its
// path to build with xcaddy:
//
//	xcaddy build --with github.com/hooklatch/hooklatch
package hooklatch

import (
	// Each package registers its modules.
	_ "github.com/hooklatch/hooklatch/caddyfile"
	_ "github.com/hooklatch/hooklatch/cmd/webhook"
	_ "github.com/hooklatch/hooklatch/module"
	_ "github.com/hooklatch/hooklatch/module/inbox/file"
	_ "github.com/hooklatch/hooklatch/module/replay/file"
	_ "github.com/hooklatch/hooklatch/module/replay/memory"
	_ "github.com/hooklatch/hooklatch/module/replay/none"
	_ "github.com/hooklatch/hooklatch/module/replay/redis"
)
