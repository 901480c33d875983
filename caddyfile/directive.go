// Package caddyfile registers the verify_webhook directive: it turns tokens
// into the handler's struct and does nothing else.
package caddyfile

import (
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/tokens"
	"github.com/hooklatch/hooklatch/schemes"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("verify_webhook", parse)
	// In front of whatever lets people in, and of what answers: a delivery is
	// authenticated by its signature.
	httpcaddyfile.RegisterDirectiveOrder("verify_webhook", httpcaddyfile.Before, "basic_auth")
}

// parse reads the directive. Syntax:
//
//	verify_webhook [<matcher>] <scheme> [<secrets...>] {
//	    secret        <secrets...>
//	    provider      <label>
//	    methods       <method...>
//	    tolerance     <past> [<future>] | off
//	    max_body      <size>
//	    body_timeout  <duration>
//	    answer_within <duration>
//	    replay        <store> [<args...>] [{ ... }] | off
//	    on_duplicate  ack | reject
//	    on_conflict   reject | forward
//	    retry_after   <duration>
//	}
func parse(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	d := h.Dispenser
	d.Next() // the directive's name
	begin := *d
	handler := new(module.Handler)
	if !d.NextArg() {
		return nil, d.Errf("no scheme; write one of %s behind verify_webhook", strings.Join(schemes.Names(), ", "))
	}
	handler.Scheme = d.Val()
	handler.Secrets = d.RemainingArgs()
	if err := tokens.Block(d, func(option string) (bool, error) { return readOption(d, handler, option) }, "secret"); err != nil {
		return nil, err
	}
	if err := handler.Check(); err != nil {
		return nil, begin.WrapErr(err)
	}
	return handler, nil
}

func readOption(d *caddyfile.Dispenser, h *module.Handler, option string) (known bool, err error) {
	switch option {
	case "secret":
		var secrets []string
		secrets, err = tokens.Some(d, "<secrets...>")
		h.Secrets = append(h.Secrets, secrets...)
	case "provider":
		h.Provider, err = tokens.One(d, "<label>")
	case "methods":
		h.Methods, err = tokens.Some(d, "<method...>")
	case "tolerance":
		h.Tolerance, err = readTolerance(d)
	case "max_body":
		h.MaxBody, err = tokens.Size(d)
	case "body_timeout":
		h.BodyTimeout, err = tokens.Duration(d)
	case "answer_within":
		h.AnswerWithin, err = tokens.Duration(d)
	case "replay":
		h.ReplayRaw, err = readReplay(d)
	case "on_duplicate":
		h.OnDuplicate, err = tokens.OneOf(d, module.DuplicateAck, module.DuplicateReject)
	case "on_conflict":
		h.OnConflict, err = tokens.OneOf(d, module.ConflictReject, module.ConflictForward)
	case "retry_after":
		h.RetryAfter, err = tokens.Duration(d)
	default:
		return false, nil
	}
	return true, err
}

// readTolerance reads one duration or two, or the word off.
func readTolerance(d *caddyfile.Dispenser) (*module.Tolerance, error) {
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == "off":
		return &module.Tolerance{Past: module.ToleranceOff}, nil
	case len(args) != 1 && len(args) != 2:
		return nil, d.Err("tolerance takes one or two arguments: tolerance <past> [<future>], or tolerance off")
	}
	var t module.Tolerance
	var err error
	if t.Past, err = tokens.ParseDuration(d, "tolerance", args[0]); err != nil {
		return nil, err
	}
	if len(args) == 2 {
		t.Future, err = tokens.ParseDuration(d, "tolerance", args[1])
	}
	return &t, err
}

// readReplay hands the rest to the store, which reads its own block.
func readReplay(d *caddyfile.Dispenser) (json.RawMessage, error) {
	if !d.NextArg() {
		return nil, d.Err("replay takes a store: replay memory, or replay off")
	}
	name := d.Val()
	if name == "off" {
		if err := tokens.None(d); err != nil {
			return nil, err
		}
		if d.NextBlock(d.Nesting()) {
			return nil, d.Err("replay off takes no options")
		}
		name = "none"
		return caddyconfig.JSONModuleObject(struct{}{}, "store", name, nil), nil
	}
	id := replay.Namespace + "." + name
	if _, err := caddy.GetModule(id); err != nil {
		return nil, d.Errf("replay: there is no store%s; write memory or off", tokens.Quoted(name))
	}
	store, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(store, "store", name, nil), nil
}
