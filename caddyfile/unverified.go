package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module"
	"github.com/hooklatch/hooklatch/module/args"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("unverified", parseUnverified)
	httpcaddyfile.RegisterDirectiveOrder("unverified", httpcaddyfile.Before, "basic_auth")
}

// parseUnverified reads the unverified directive. Syntax:
//
//	unverified [<matcher>]
func parseUnverified(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next() // the directive's name
	if err := args.None(h.Dispenser); err != nil {
		return nil, err
	}
	if h.NextBlock(0) {
		return nil, h.Err("unverified has no options")
	}
	return new(module.Unverified), nil
}
