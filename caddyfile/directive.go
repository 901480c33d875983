// Package caddyfile registers the verify_webhook directive. It turns tokens into
// the handler's struct and does nothing else.
package caddyfile

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/caddyfile/definition"
	"github.com/hooklatch/hooklatch/module"
	"github.com/hooklatch/hooklatch/module/args"
	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("verify_webhook", parse)
	// The directive runs before authentication and before handlers that answer,
	// because the signature authenticates a delivery.
	httpcaddyfile.RegisterDirectiveOrder("verify_webhook", httpcaddyfile.Before, "basic_auth")
}

// parse reads the verify_webhook directive. Syntax:
//
//	verify_webhook [<matcher>] <scheme> [<secrets...>] {
//	    secret        <secrets...>
//	    tenants       <dir> <value>
//	    provider      <label>
//	    public_url    <scheme://host[:port][/prefix]>
//	    handshake     [<verify tokens...>]
//	    methods       <method...>
//	    tolerance     <past> [<future>] | off
//	    max_body      <size>
//	    body_timeout  <duration>
//	    answer_within <duration>
//	    replay        <store> [<args...>] [{ ... }] | off
//	    on_duplicate  ack | reject
//	    on_conflict   reject | ack | forward
//	    retry_after   <duration>
//	    emit          webhook | cloudevents | none
//	    sign_upstream <secrets...>
//	    observe
//	    capture       [{ ... }]
//	    inbox         <store> [<args...>] [{ ... }]
//	    scheme_definition { ... }
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
	if err := checkSecrets(d, handler.Secrets); err != nil {
		return nil, err
	}
	if err := checkNoMatcher(d, handler.Secrets); err != nil {
		return nil, err
	}
	if err := args.Block(d, func(option string) (bool, error) { return readOption(d, handler, option) }, "secret", "emit"); err != nil {
		return nil, err
	}
	if d.Next() { // Caddy does not read what follows the brace of an empty block
		return nil, d.Err("words behind the closing brace; write options between the braces, one a line")
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
		if secrets, err = args.Some(d, "<secrets...>"); err == nil {
			err = checkSecrets(d, secrets)
		}
		h.Secrets = append(h.Secrets, secrets...)
	case "tenants":
		var values []string
		if values, err = args.Some(d, "<dir> <value>"); err == nil && len(values) != 2 {
			err = d.Err("tenants takes two arguments: tenants <dir> <value>, such as tenants /etc/hooklatch/tenants {path.1}")
		}
		if err == nil {
			h.Tenants = &module.Tenants{Dir: values[0], Value: values[1]}
		}
	case "provider":
		h.Provider, err = args.Label(d)
	case "public_url":
		h.PublicURL, err = readPublicURL(d)
	case "handshake":
		h.Handshake = &module.Handshake{VerifyTokens: d.RemainingArgs()}
		err = checkSecrets(d, h.Handshake.VerifyTokens)
	case "methods":
		h.Methods, err = args.Methods(d)
	case "tolerance":
		h.Tolerance, err = readTolerance(d)
	case "max_body":
		h.MaxBody, err = args.Size(d)
	case "body_timeout":
		h.BodyTimeout, err = args.Duration(d)
	case "answer_within":
		h.AnswerWithin, err = args.Duration(d)
	case "replay":
		h.ReplayRaw, err = readReplay(d)
	case "inbox":
		h.InboxRaw, err = readInbox(d)
	case "on_duplicate":
		h.OnDuplicate, err = args.OneOf(d, module.DuplicateAck, module.DuplicateReject)
	case "on_conflict":
		h.OnConflict, err = args.OneOf(d, module.ConflictReject, module.ConflictAck, module.ConflictForward)
	case "retry_after":
		h.RetryAfter, err = args.Duration(d)
	case "emit":
		var names []string
		names, err = args.Some(d, "webhook or cloudevents or none")
		h.Emit = append(h.Emit, names...)
	case "sign_upstream":
		if h.SignUpstream, err = args.Some(d, "<secrets...>"); err == nil {
			err = checkSecrets(d, h.SignUpstream)
		}
	case "observe":
		h.Observe, err = true, args.None(d)
	case "capture":
		h.Capture, err = readCapture(d)
	case definition.Option:
		h.SchemeDefinition, err = definition.Read(d)
	default:
		return false, args.Unknown(d, options...)
	}
	return true, err
}

// options are the options that readOption knows, in the order of the
// documentation.
var options = []string{
	"secret", "tenants", "provider", "public_url", "handshake", "methods", "tolerance", "max_body", "body_timeout", "answer_within",
	"replay", "on_duplicate", "on_conflict", "retry_after",
	"emit", "sign_upstream", "observe", "capture", "inbox", definition.Option,
}

// checkSecrets rejects the name of an option among the secrets. A forgotten
// brace or line break would otherwise make it a key that everyone knows.
func checkSecrets(d *caddyfile.Dispenser, secrets []string) error {
	for _, secret := range secrets {
		if slices.Contains(options, secret) {
			return d.Errf("the option %s stands among the secrets; write options in a block, one a line", secret)
		}
	}
	return nil
}

// checkNoMatcher rejects a secret that looks like a matcher written after the
// scheme. A path would be a key that anyone can guess.
func checkNoMatcher(d *caddyfile.Dispenser, secrets []string) error {
	for _, secret := range secrets {
		if strings.HasPrefix(secret, "/") || strings.HasPrefix(secret, "@") || secret == "*" {
			return d.Err("a matcher stands before the scheme: verify_webhook /path scheme secret; a secret that begins with / or @ is written with the option secret")
		}
	}
	return nil
}

// readPublicURL reads one URL. The handler checks its content.
func readPublicURL(d *caddyfile.Dispenser) (string, error) {
	text, err := args.One(d, "<scheme://host[:port][/prefix]>")
	if err == nil && text == "" {
		err = d.Err("public_url is empty; write one such as https://hooks.example.com, or leave it out")
	}
	return text, err
}

// off is the argument that switches an option off.
const off = "off"

// readTolerance reads one duration or two, or the word off.
func readTolerance(d *caddyfile.Dispenser) (*module.Tolerance, error) {
	values := d.RemainingArgs()
	switch {
	case len(values) == 1 && values[0] == off:
		return &module.Tolerance{Past: module.ToleranceOff}, nil
	case len(values) != 1 && len(values) != 2:
		return nil, d.Err("tolerance takes one or two arguments: tolerance <past> [<future>], or tolerance off")
	case slices.Contains(values, off):
		return nil, d.Err("tolerance off takes no duration; write off alone, or durations alone")
	}
	var t module.Tolerance
	var err error
	if t.Past, err = args.ParseDuration(d, "tolerance", values[0]); err != nil {
		return nil, err
	}
	if len(values) == 2 {
		t.Future, err = args.ParseDuration(d, "tolerance", values[1])
	}
	return &t, err
}

// readCapture reads how deliveries are captured. Syntax:
//
//	capture {
//	    of   rejected | all
//	    keep <n>
//	    body <size>
//	    for  <duration>
//	}
func readCapture(d *caddyfile.Dispenser) (*module.Capture, error) {
	if err := args.None(d); err != nil {
		return nil, err
	}
	c := new(module.Capture)
	err := args.Block(d, func(option string) (known bool, err error) {
		switch option {
		case "of":
			c.Of, err = args.OneOf(d, module.CaptureRejected, module.CaptureAll)
		case "keep":
			c.Keep, err = args.Count(d)
		case "body":
			c.Body, err = args.Size(d)
		case "for":
			c.For, err = args.Duration(d)
		default:
			return false, args.Unknown(d, "of", "keep", "body", "for")
		}
		return true, err
	})
	return c, err
}

// readReplay passes the rest to the store, which reads its own block.
func readReplay(d *caddyfile.Dispenser) (json.RawMessage, error) {
	if !d.NextArg() {
		return nil, d.Errf("replay takes a store: replay %s", strings.Join(stores(), " or replay "))
	}
	name := d.Val()
	if name == off {
		if d.NextArg() || d.NextBlock(d.Nesting()) || d.Val() != off { // the last one is for arguments after an empty block
			return nil, d.Err("replay off takes no arguments and no block; write replay off alone")
		}
		return caddyconfig.JSONModuleObject(struct{}{}, "store", "none", nil), nil
	}
	if !slices.Contains(stores(), name) {
		return nil, d.Errf("replay: there is no such store; write one of %s", strings.Join(stores(), ", "))
	}
	store, err := caddyfile.UnmarshalModule(d, replay.Namespace+"."+name)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(store, "store", name, nil), nil
}

// readInbox passes the rest to the store, which reads its own block.
func readInbox(d *caddyfile.Dispenser) (json.RawMessage, error) {
	known := modulesOf(inbox.Namespace)
	if !d.NextArg() {
		return nil, d.Errf("inbox takes a store: inbox %s <path>", strings.Join(known, " or inbox "))
	}
	name := d.Val()
	if !slices.Contains(known, name) {
		return nil, d.Errf("inbox: there is no such store; write one of %s", strings.Join(known, ", "))
	}
	store, err := caddyfile.UnmarshalModule(d, inbox.Namespace+"."+name)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(store, "inbox", name, nil), nil
}

// stores returns the words that may follow replay: the stores that read a block
// of their own, and off, which stands for the store none.
func stores() []string { return append(modulesOf(replay.Namespace), off) }

// modulesOf returns the names of the modules in a namespace that read a block
// of their own.
func modulesOf(namespace string) []string {
	var names []string
	for _, info := range caddy.GetModules(namespace) {
		if _, ok := info.New().(caddyfile.Unmarshaler); ok {
			names = append(names, info.ID.Name())
		}
	}
	return names
}
