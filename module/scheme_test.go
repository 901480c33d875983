package module

import (
	"encoding/hex"
	"maps"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// acme is a scheme of a user's own, with changes.
func acme(changes options) options {
	definition := options{
		"signature": options{"header": "X-Acme-Signature"},
		"timestamp": options{"header": "X-Acme-Time"},
		"signed":    "{timestamp}.{body}",
		"event":     options{"body": "type"},
	}
	maps.Copy(definition, changes)
	return options{"scheme": "acme", "provider": "shop", "scheme_definition": definition}
}

func TestOwnScheme(t *testing.T) {
	g := newGateway(t, acme(nil), nil)
	const body = `{"type":"paid"}`
	now := formatSeconds(testTime)
	signed := func(at string) http.Header {
		return http.Header{
			"X-Acme-Time":      {at},
			"X-Acme-Signature": {hex.EncodeToString(macUnder([]byte(testSecret), at, ".", body))},
		}
	}
	expect(t, g.send(t, signed(now), body+" "), http.StatusUnauthorized, "rejected signature_mismatch")
	expect(t, g.send(t, http.Header{"X-Acme-Time": {now}}, body), http.StatusUnauthorized, "rejected missing_signature")
	expect(t, g.send(t, signed("1"), body), http.StatusUnauthorized, "rejected stale")
	expect(t, g.send(t, signed(now), body), http.StatusNoContent, "")
	g.expectDelivered(t, body)
	if got := g.delivered()[0].header; got.Get("Webhook-Provider") != "shop" || got.Get("Webhook-Event") != "paid" {
		t.Errorf("the application received %v", got)
	}
	expect(t, g.send(t, signed(now), body), http.StatusOK, "")
	g.expectDelivered(t, body)
}

func TestErrorsOfAnOwnScheme(t *testing.T) {
	named := func(name string) options {
		o := acme(nil)
		o["scheme"] = name
		return o
	}
	for name, c := range map[string]struct {
		options options
		want    []string
	}{
		"name of a built-in":    {named("stripe"), []string{"scheme_definition: there is a scheme stripe already", "give yours another name"}},
		"no name":               {named("Acme Webhooks"), []string{"scheme_definition: this is not the name of a scheme", "write 1 to 64 of a-z"}},
		"ambiguous":             {acme(options{"signed": "{timestamp}{header.X-A}{body}"}), []string{"verify_webhook shop: scheme_definition: signed: it cannot be told where {header.X-A} ends"}},
		"no signature":          {acme(options{"signature": options{}}), []string{"scheme_definition: signature: header: there is no header's name"}},
		"unknown member":        {acme(options{"sign": "{body}"}), []string{"verify_webhook", "sign"}},
		"unknown member inside": {acme(options{"timestamp": options{"head": "X-T"}}), []string{"verify_webhook", "head"}},
		"a secret as the key":   {acme(options{"key": configCanary}), []string{"key: this is not known here"}},
		"nothing of it":         {options{"scheme": "acme"}, []string{"unknown scheme", "describe one of your own with scheme_definition"}},
	} {
		t.Run(name, func(t *testing.T) {
			expectError(t, caddy.Validate(configOf(t, c.options)), c.want...)
		})
	}
}

// TestOneLabelOneDefinition: handlers that share a history agree on what a
// delivery is.
func TestOneLabelOneDefinition(t *testing.T) {
	another := acme(nil)
	another["scheme"] = "acme2"
	for name, c := range map[string]struct {
		second options
		want   []string // nil: allowed
	}{
		"the same":         {acme(nil), nil},
		"another source":   {acme(options{"source": "docs.acme.example"}), nil},
		"another template": {acme(options{"signed": "{timestamp}:{body}"}), []string{`"shop"`, "another definition of the scheme acme", "provider <label>"}},
		"another name":     {another, []string{`"shop"`, "with the scheme acme;", "provider <label>"}},
		"a built-in":       {options{"provider": "shop"}, []string{`"shop"`, "with the scheme acme;", "provider <label>"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := caddy.Validate(configOf(t, acme(nil), c.second))
			if c.want != nil {
				expectError(t, err, c.want...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}
