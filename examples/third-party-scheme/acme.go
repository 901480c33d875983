// Package acme is an example that adds the scheme of an invented provider to a
// Caddy with Hooklatch. See README.md.
package acme

import "github.com/hooklatch/hooklatch/schemes"

// Acme signs its send time and the body. A Caddyfile would write the same
// definition as scheme_definition. Define panics if a signed delivery could be
// cut into another one.
func init() {
	schemes.Define("acme", schemes.Definition{
		Source: "docs.acme.example/webhooks",
		Signature: schemes.SignatureForm{
			Header:    "X-Acme-Signature",
			Separator: ",",
			Names:     []string{"v1"},
		},
		Timestamp:  schemes.TimePlace{Place: schemes.Place{Field: "t"}},
		Signed:     "{timestamp}.{body}",
		ID:         schemes.Place{Body: "id"},
		Event:      schemes.EventPlace{Body: "type"},
		OccurredAt: schemes.BodyTime{Body: "created_at", Unit: "rfc3339"},
		Tenant:     "account.id",
	})
}
