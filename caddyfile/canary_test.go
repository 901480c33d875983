package caddyfile

import (
	"strings"
	"testing"
)

// TestNoErrorPrintsASecret puts a secret in wrong places: after an extra word,
// without a scheme, on the wrong line.
func TestNoErrorPrintsASecret(t *testing.T) {
	const canary = "whsec_Q2FuYXJ5/7="
	const begin = "verify_webhook cryptr {env.KEY} {\n"
	option := func(lines string) string { return begin + lines + "\n}" }
	definition := func(lines string) string {
		return "verify_webhook acme {env.KEY} {\nscheme_definition {\nsignature header X-Acme-Signature\n" + lines + "\n}\n}"
	}
	signature := func(lines string) string {
		return "verify_webhook acme {env.KEY} {\nscheme_definition {\nsignature header X-Acme-Signature {\n" + lines + "\n}\n}\n}"
	}
	for name, directive := range map[string]string{
		"scheme":                    "verify_webhook " + canary,
		"scheme, in a matcher":      "verify_webhook /" + canary,
		"scheme, secret behind it":  "verify_webhook " + canary + " " + canary,
		"no such scheme":            "verify_webhook cripter " + canary,
		"beside an option":          "verify_webhook cryptr " + canary + " provider acme",
		"beside an option, inside":  option("secret " + canary + " provider acme"),
		"beside an empty secret":    `verify_webhook cryptr ` + canary + ` ""`,
		"with a bad option":         "verify_webhook cryptr " + canary + " {\nmethods post\n}",
		"option":                    option(canary),
		"option, argument":          option(canary + " " + canary),
		"option, wrong name":        option("secrets " + canary),
		"option, with a block":      option("secret " + canary + " {\n" + canary + "\n}"),
		"behind the closing brace":  begin + "} " + canary,
		"behind the brace, options": begin + "max_body 1MiB\n} " + canary,
		"one line":                  "verify_webhook cryptr " + canary + " { provider " + canary + " }",
		"provider":                  option("provider " + canary),
		"provider, surplus":         option("provider acme " + canary),
		"public_url":                option("public_url " + canary),
		"public_url, signed":        "verify_webhook square {env.KEY} {\npublic_url ftp://" + canary + "\n}",
		"public_url, surplus":       "verify_webhook square {env.KEY} {\npublic_url https://a " + canary + "\n}",
		"handshake":                 option("handshake " + canary),
		"handshake, options":        "verify_webhook meta {env.KEY} {\nhandshake " + canary + " methods POST\n}",
		"handshake, signed":         "verify_webhook slack {env.KEY} {\nhandshake " + canary + "\n}",
		"methods":                   option("methods " + canary),
		"methods, second":           option("methods POST " + canary),
		"tolerance":                 option("tolerance " + canary),
		"tolerance, future":         option("tolerance 5m " + canary),
		"tolerance, surplus":        option("tolerance 5m 5m " + canary),
		"tolerance off, surplus":    option("tolerance off " + canary),
		"max_body":                  option("max_body " + canary),
		"max_body, surplus":         option("max_body 1MiB " + canary),
		"body_timeout":              option("body_timeout " + canary),
		"body_timeout, surplus":     option("body_timeout 1s " + canary),
		"answer_within":             option("answer_within " + canary),
		"answer_within, surplus":    option("answer_within 1s " + canary),
		"on_duplicate":              option("on_duplicate " + canary),
		"on_duplicate, surplus":     option("on_duplicate ack " + canary),
		"on_conflict":               option("on_conflict " + canary),
		"on_conflict, surplus":      option("on_conflict reject " + canary),
		"retry_after":               option("retry_after " + canary),
		"retry_after, surplus":      option("retry_after 1s " + canary),
		"emit":                      option("emit " + canary),
		"emit, second":              option("emit webhook " + canary),
		"sign_upstream":             option("sign_upstream " + canary),
		"sign_upstream, second":     option("sign_upstream {env.A} " + canary),
		"sign_upstream, option":     option("sign_upstream " + canary + " emit none"),
		"observe":                   option("observe " + canary),
		"replay":                    option("replay " + canary),
		"replay off":                option("replay off " + canary),
		"replay off, block":         option("replay off {\n" + canary + "\n}"),
		"replay memory":             option("replay memory " + canary),
		"replay memory, option":     option("replay memory {\n" + canary + "\n}"),
		"replay memory, size":       option("replay memory {\nsize " + canary + "\n}"),
		"replay memory, size, more": option("replay memory {\nsize 5 " + canary + "\n}"),
		"replay memory, ttl":        option("replay memory {\nttl " + canary + "\n}"),
		"replay memory, ttl, more":  option("replay memory {\nttl 24h " + canary + "\n}"),
		"replay memory, key":        option("replay memory {\nkey " + canary + "\n}"),
		"replay memory, key, more":  option("replay memory {\nkey content " + canary + "\n}"),
		"replay file, surplus":      option("replay file history.db " + canary),
		"replay file, option":       option("replay file history.db {\n" + canary + "\n}"),
		"replay file, ttl":          option("replay file history.db {\nttl " + canary + "\n}"),
		"replay file, key":          option("replay file history.db {\nkey " + canary + "\n}"),
		"replay redis":              option("replay redis " + canary),
		"replay redis, password":    option("replay redis redis://:" + canary + "@host:port"),
		"replay redis, parameter":   option("replay redis redis://host?" + canary + "=1"),
		"replay redis, second":      option("replay redis redis://:" + canary + "@a redis://b"),
		"replay redis, option":      option("replay redis redis://host {\n" + canary + "\n}"),
		"replay redis, prefix":      option("replay redis redis://host {\nprefix a " + canary + "\n}"),
		"replay redis, timeout":     option("replay redis redis://host {\ntimeout " + canary + "\n}"),
		"replay redis, lease":       option("replay redis redis://host {\nlease " + canary + "\n}"),
		"replay redis, on_error":    option("replay redis redis://host {\non_error " + canary + "\n}"),
		"argument of an import":     "import hook " + canary,
		"scheme_definition":         option("scheme_definition " + canary),
		"definition, option":        definition(canary),
		"definition, algorithm":     definition("algorithm " + canary),
		"definition, key":           definition("key " + canary),
		"definition, key, surplus":  definition("key text " + canary),
		"definition, signature":     option("scheme_definition {\nsignature " + canary + "\n}"),
		"definition, header":        option("scheme_definition {\nsignature header " + canary + "\n}"),
		"definition, another":       option("scheme_definition {\nsignature header X-S " + canary + " x\n}"),
		"definition, signed":        definition("signed " + canary),
		"definition, variable":      definition("signed {" + canary + "}{body}"),
		"definition, timestamp":     definition("timestamp " + canary),
		"definition, unit":          definition("timestamp body at unit " + canary),
		"definition, id":            definition("id " + canary + " x"),
		"definition, id, header":    definition("id header " + canary),
		"definition, event":         definition("event header " + canary),
		"definition, occurrence_id": definition("occurrence_id " + canary),
		"definition, occurred_at":   definition("occurred_at body at unit " + canary),
		"definition, tenant":        definition("tenant " + canary + ".."),
		"definition, json_object":   definition("json_object " + canary),
		"definition, variant":       definition("variant name " + canary),
		"definition, variant, key":  definition("variant name v1 key " + canary),
		"definition, alias":         definition("alias " + canary),
		"definition, alias, line":   definition("alias {\n" + canary + "\n}"),
		"definition, alias, header": definition("alias {\n" + canary + " X-B\n}"),
		"definition, alias, other":  definition("alias {\nX-Acme-Signature " + canary + "\n}"),
		"signature, option":         signature(canary),
		"signature, encoding":       signature("encoding " + canary),
		"signature, names":          signature("names " + canary),
		"signature, separator":      signature("separator =\nnames " + canary),
		"signature, prefix":         signature("prefix a " + canary),
	} {
		t.Run(name, func(t *testing.T) {
			text, failed := adapt(t, "(hook) {\nverify_webhook cryptr {args[0]} {\nmethods post\n}\n}\n:80 {\n"+directive+"\n}\n")
			switch {
			case !failed:
				t.Error("adapts")
			case strings.Contains(text, canary):
				t.Errorf("prints the secret: %s", text)
			}
		})
	}
}
