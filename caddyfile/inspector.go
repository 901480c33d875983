package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module"
	"github.com/hooklatch/hooklatch/module/args"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("webhook_inspector", parseInspector)
	// The directive answers every request, so it runs after authentication.
	httpcaddyfile.RegisterDirectiveOrder("webhook_inspector", httpcaddyfile.After, "metrics")
}

// parseInspector reads the webhook_inspector directive. Syntax:
//
//	webhook_inspector [<matcher>] {
//	    access route
//	}
func parseInspector(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	d := h.Dispenser
	d.Next() // the directive's name
	if err := args.None(d); err != nil {
		return nil, err
	}
	handler := new(module.Inspector)
	err := args.Block(d, func(option string) (known bool, err error) {
		if option != "access" {
			return false, args.Unknown(d, "access")
		}
		handler.Access, err = args.OneOf(d, module.AccessRoute)
		return true, err
	})
	if err != nil {
		return nil, err
	}
	if d.Next() { // Caddy does not read what follows the brace of an empty block
		return nil, d.Err("words behind the closing brace; write options between the braces, one a line")
	}
	return handler, nil
}
