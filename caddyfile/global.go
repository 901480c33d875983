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
//	    recent       <n>
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
		switch option {
		case "max_buffered":
			app.MaxBuffered, err = args.Size(d)
		case "recent":
			var n int
			n, err = args.CountOrZero(d)
			app.Recent = &n
		default:
			return false, args.Unknown(d, "max_buffered", "recent")
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "verify_webhook", Value: caddyconfig.JSON(app, nil)}, nil
}
