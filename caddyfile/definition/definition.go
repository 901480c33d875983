// Package definition reads the definition of a scheme from a Caddyfile or from
// JSON. It is a package of its own, so that a program or a test that only reads
// definitions does not link the whole gateway.
package definition

import (
	"errors"
	"io"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hooklatch/hooklatch/module/args"
	"github.com/hooklatch/hooklatch/schemes"
)

// Option is the name of the block.
const Option = "scheme_definition"

// block is the scheme_definition block that is being read.
type block struct {
	*caddyfile.Dispenser
	schemes.Definition

	begin   caddyfile.Dispenser            // at the option itself
	options map[string]caddyfile.Dispenser // at the options in the block
}

// Read reads the block and compiles the definition, to find its errors. The
// names are the same as in JSON; schemes.Definition documents them. In the
// template, \n stands for a line break. Syntax:
//
//	scheme_definition {
//	    source        <text>
//	    algorithm     hmac-sha1 | hmac-sha256 | hmac-sha384 | hmac-sha512 | ed25519 | ecdsa-p256
//	    key           text | base64 | hex | whsec_ | whpk_ | pem | spki
//	    signature     header <name> {
//	        encoding  hex | base64 | base64url
//	        prefix    <text>
//	        separator <text>
//	        assign    <text>
//	        names     <name...>
//	    }
//	    variant       name <name> [algorithm <algorithm>] key whsec_ | whpk_ | pem
//	    signed        <template>
//	    json_object
//	    timestamp     (header <name> | field <name> | body <member>) [unit s | ms | rfc3339]
//	    id            header <name> | field <name> | body <member>
//	    event         header <name> | body <member>, or both
//	    occurrence_id <header> [unique]
//	    occurred_at   body <member> [unit s | ms | rfc3339]
//	    tenant        <member>
//	    environment   <member>
//	    alias {
//	        <header> <other name>
//	    }
//	}
func Read(d *caddyfile.Dispenser) (*schemes.Definition, error) {
	b := &block{Dispenser: d, begin: *d, options: map[string]caddyfile.Dispenser{}}
	if err := args.None(d); err != nil {
		return nil, err
	}
	if err := args.Block(d, b.read, "variant", "alias"); err != nil {
		return nil, err
	}
	if _, err := b.Compile("own"); err != nil {
		return nil, b.locate(err)
	}
	return &b.Definition, nil
}

// locate adds to a definition's error the line of the option that the error
// begins with.
func (b *block) locate(err error) error {
	field, _, _ := strings.Cut(err.Error(), ":")
	switch field {
	case "variants":
		field = "variant"
	case "aliases":
		field = "alias"
	}
	at, known := b.options[field]
	if !known {
		at = b.begin
	}
	return at.WrapErr(err)
}

func (b *block) read(option string) (known bool, err error) {
	b.options[option] = *b.Dispenser
	switch option {
	case "source":
		err = b.one(&b.Source, "<text>")
	case "algorithm":
		err = b.one(&b.Algorithm, "<algorithm>")
	case "key":
		err = b.one(&b.Key, "<form>")
	case "signature":
		err = b.readSignature()
	case "variant":
		var v schemes.Variant
		err = b.pairs("name <name> [algorithm <algorithm>] key whsec_ | whpk_ | pem",
			pair{"name", &v.Name}, pair{"algorithm", &v.Algorithm}, pair{"key", &v.Key})
		b.Variants = append(b.Variants, v)
	case "signed":
		err = b.readTemplate()
	case "json_object":
		b.JSONObject = true
		err = args.None(b.Dispenser)
	case "timestamp":
		t := &b.Timestamp
		err = b.pairs(placeWords+" "+unitWords, append(place(&t.Place), pair{"unit", &t.Unit})...)
	case "id":
		err = b.pairs(placeWords, place(&b.ID)...)
	case "event":
		err = b.pairs("header <name> | body <member>, or both",
			pair{"header", &b.Event.Header}, pair{"body", &b.Event.Body})
	case "occurrence_id":
		err = b.readOccurrence()
	case "occurred_at":
		err = b.pairs("body <member> "+unitWords, pair{"body", &b.OccurredAt.Body}, pair{"unit", &b.OccurredAt.Unit})
	case "tenant":
		err = b.one(&b.Tenant, "<member>")
	case "environment":
		err = b.one(&b.Environment, "<member>")
	case "alias":
		err = b.readAlias()
	default:
		return false, args.Unknown(b.Dispenser,
			"source", "algorithm", "key", "signature", "variant", "signed", "json_object", "timestamp", "id",
			"event", "occurrence_id", "occurred_at", "tenant", "environment", "alias")
	}
	return true, err
}

// readSignature reads the header of the signature and, in the block, how the
// signature is written there.
func (b *block) readSignature() error {
	f := &b.Signature
	if err := b.pairs("header <name>", pair{"header", &f.Header}); err != nil {
		return err
	}
	return args.Block(b.Dispenser, func(option string) (known bool, err error) {
		switch option {
		case "encoding":
			err = b.one(&f.Encoding, "hex | base64 | base64url")
		case "prefix":
			err = b.one(&f.Prefix, "<text>")
		case "separator":
			err = b.one(&f.Separator, "<text>")
		case "assign":
			err = b.one(&f.Assign, "<text>")
		case "names":
			f.Names, err = args.Some(b.Dispenser, "<name...>")
		default:
			return false, args.Unknown(b.Dispenser, "encoding", "prefix", "separator", "assign", "names")
		}
		return true, err
	})
}

// readOccurrence reads a header, and whether its value is unique.
func (b *block) readOccurrence() error {
	values := b.RemainingArgs()
	b.OccurrenceIDUnique = len(values) == 2 && values[1] == "unique"
	if len(values) == 0 || values[0] == "" || len(values) > 1 && !b.OccurrenceIDUnique {
		return b.Err("occurrence_id takes a header, and after it the word unique if the provider documents the ID as unique for each event: occurrence_id <header> [unique]")
	}
	b.OccurrenceID = values[0]
	return nil
}

// readAlias reads a block of header names and their aliases.
func (b *block) readAlias() error {
	if err := args.None(b.Dispenser); err != nil {
		return err
	}
	alias := map[string]string{}
	for nesting := b.Nesting(); b.NextBlock(nesting); {
		name := b.Val()
		values := b.RemainingArgs()
		if len(values) != 1 || values[0] == "" || name == "{" || alias[name] != "" {
			return b.Err("alias takes one header and its other name a line, each header once: <header> <other name>")
		}
		alias[name] = values[0]
	}
	b.Aliases = append(b.Aliases, alias)
	return nil
}

// one reads one argument that is not empty.
func (b *block) one(into *string, what string) (err error) {
	option := b.Val()
	if *into, err = args.One(b.Dispenser, what); err == nil && *into == "" {
		err = b.Errf("%s is empty; write %s %s, or leave it out", option, option, what)
	}
	return err
}

// readTemplate reads the template of the signed text. It rejects a quoted text
// over several lines, which would contain their indentation unnoticed.
func (b *block) readTemplate() error {
	if err := b.one(&b.Signed, "<template>"); err != nil {
		return err
	}
	if strings.Contains(b.Signed, "\n\t") || strings.Contains(b.Signed, "\n ") {
		return b.Err("signed has a line that begins with a blank; write it in one line, with \\n for a line break")
	}
	b.Signed = strings.NewReplacer(
		`\n`, "\n", `\r`, "\r",
		"{http.request.", "{", // Caddy has expanded the short form of some placeholders by now
	).Replace(b.Signed)
	return nil
}

// The words of places and units, in errors.
const (
	placeWords = "header <name> | field <name> | body <member>"
	unitWords  = "[unit s | ms | rfc3339]"
)

// pair is a word, and where to store the word after it.
type pair struct {
	name string
	into *string
}

// place returns the pairs that locate a value.
func place(p *schemes.Place) []pair {
	return []pair{{"header", &p.Header}, {"field", &p.Field}, {"body", &p.Body}}
}

// pairs reads words in pairs, such as `header X-Time unit ms`.
func (b *block) pairs(form string, known ...pair) error {
	option := b.Val()
	values := b.RemainingArgs()
	malformed := func(what string) error {
		return b.Errf("%s %s; write %s %s", option, what, option, form)
	}
	if len(values) == 0 || len(values)%2 != 0 {
		return malformed("takes words in pairs")
	}
	for i := 0; i < len(values); i += 2 {
		found := false
		for _, p := range known {
			switch {
			case p.name != values[i]:
				continue
			case *p.into != "":
				return malformed("has " + p.name + " twice")
			case values[i+1] == "":
				return malformed("has an empty " + p.name)
			}
			*p.into, found = values[i+1], true
		}
		if !found {
			return malformed("has a word that is not known")
		}
	}
	return nil
}

// ReadFile reads a definition from the content of a file: a scheme_definition
// block as in a Caddyfile, or JSON. name is the name of the file, for errors.
// Errors say what to write instead.
func ReadFile(name string, content []byte) (schemes.Definition, error) {
	if text := strings.TrimSpace(string(content)); strings.HasPrefix(text, "{") {
		return fromJSON(name, text)
	}
	words, err := caddyfile.Tokenize(content, name)
	if err != nil && !errors.Is(err, io.EOF) { // which it returns for empty content
		return schemes.Definition{}, err
	}
	d := caddyfile.NewDispenser(words)
	if !d.Next() || d.Val() != Option {
		return schemes.Definition{}, errors.New(name + ": this is no definition; write a block scheme_definition { … }, as in a Caddyfile, or JSON")
	}
	definition, err := Read(d)
	if err != nil {
		return schemes.Definition{}, err
	}
	if d.Next() {
		return schemes.Definition{}, d.Err("something stands behind the definition; write one block and nothing else")
	}
	return *definition, nil
}
