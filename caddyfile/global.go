package caddyfile

import (
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/hooklatch/hooklatch/module"
	"github.com/hooklatch/hooklatch/module/args"
)

func init() { httpcaddyfile.RegisterGlobalOption("verify_webhook", parseGlobal) }

// parseGlobal reads the global option. Syntax:
//
//	verify_webhook {
//	    max_buffered <size>
//	}
func parseGlobal(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next() // the option's name
	if existing != nil {
		return nil, d.Err("the global option verify_webhook is given twice; write one block")
	}
	if err := args.None(d); err != nil {
		return nil, err
	}
	app := new(module.App)
	err := args.Block(d, func(option string) (known bool, err error) {
		if option != "max_buffered" {
			return false, args.Unknown(d, "max_buffered")
		}
		app.MaxBuffered, err = args.Size(d)
		return true, err
	})
	if err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "verify_webhook", Value: caddyconfig.JSON(app, nil)}, nil
}
