package module

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay/memory"
	"github.com/hooklatch/hooklatch/schemes"
)

// configCanary stands for a secret that no error may print. It is not base64.
const configCanary = "Canary5ecret="

// options are the handler's JSON.
type options = map[string]any

// configOf puts each handler into a route of its own.
func configOf(t *testing.T, handlers ...options) *caddy.Config {
	t.Helper()
	var routes []any
	for _, h := range handlers {
		written := options{"handler": "verify_webhook", "scheme": "cryptr", "secrets": []string{configCanary}}
		maps.Copy(written, h)
		routes = append(routes, options{"handle": []any{written}})
	}
	raw, err := json.Marshal(options{"servers": options{"test": options{"listen": []string{"127.0.0.1:0"}, "routes": routes}}})
	if err != nil {
		t.Fatal(err)
	}
	return &caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}, AppsRaw: caddy.ModuleMap{"http": raw}}
}

func TestErrorsOfAConfiguration(t *testing.T) {
	t.Setenv("HOOKLATCH_TEST_EMPTY", "")
	t.Setenv("HOOKLATCH_TEST_CANARY", configCanary)
	const label, secret2, unresolved = "verify_webhook acme: ", "secret 2", "is not there or empty"
	for name, c := range map[string]struct {
		options options
		want    []string // in addition to the label
	}{
		"unset variable":          {options{"secrets": []string{"{env.HOOKLATCH_TEST_UNSET}"}}, []string{"secret 1", unresolved}},
		"unset variable, second":  {options{"secrets": []string{configCanary, "{env.HOOKLATCH_TEST_UNSET}"}}, []string{secret2, unresolved}},
		"unset variable, in text": {options{"secrets": []string{configCanary + "{env.HOOKLATCH_TEST_UNSET}"}}, []string{"secret 1", "resolves to nothing"}},
		"empty variable":          {options{"secrets": []string{configCanary, "{env.HOOKLATCH_TEST_EMPTY}"}}, []string{secret2, unresolved}},
		"missing file":            {options{"secrets": []string{configCanary, "{file./nowhere/at/all}"}}, []string{secret2, unresolved}},
		"unknown placeholder":     {options{"secrets": []string{"{x." + configCanary + "}"}}, []string{"secret 1", "not known"}},
		"braces in the secret":    {options{"secrets": []string{"a{" + configCanary + "}b"}}, []string{"secret 1", `write \{`}},
		"empty secret":            {options{"secrets": []string{configCanary, ""}}, []string{secret2, "empty"}},
		"variable of the command": {options{"secrets": []string{configCanary, "env:KEY"}}, []string{secret2, "write {env.NAME}"}},
		"variable of the shell":   {options{"secrets": []string{"$KEY"}}, []string{"secret 1", "write {env.NAME}"}},
		"variable in braces":      {options{"secrets": []string{"{KEY}"}}, []string{"secret 1", "write {env.NAME}"}},
		"file of the command":     {options{"secrets": []string{"file:" + configCanary}}, []string{"secret 1", "write {file.PATH}"}},
		"no secret":               {options{"secrets": []string{}}, []string{"no secret"}},
		"not base64": {
			options{"scheme": "mceasy", "secrets": []string{testSecret, "{env.HOOKLATCH_TEST_CANARY}"}},
			[]string{secret2, "base64"},
		},
		"key delivery with an id": {
			options{"scheme": "stripe", "replay": options{"store": "memory", "key": "delivery"}},
			[]string{"replay", "deliveries of stripe have an id of their own", "write key content"},
		},
		"unknown scheme":           {options{"scheme": "cripter"}, []string{"unknown scheme", "cryptr"}},
		"max_body":                 {options{"max_body": -1}, []string{"max_body must be above zero"}},
		"body_timeout":             {options{"body_timeout": -1}, []string{"body_timeout must be above zero"}},
		"answer_within":            {options{"answer_within": -1}, []string{"answer_within must be above zero"}},
		"retry_after":              {options{"retry_after": -1}, []string{"retry_after must be above zero"}},
		"methods":                  {options{"methods": []string{"POST", "post"}}, []string{"methods", "such as POST"}},
		"tolerance, past":          {options{"tolerance": options{"past": -2}}, []string{"tolerance must be above zero"}},
		"tolerance, future":        {options{"tolerance": options{"future": -1}}, []string{"tolerance must be above zero"}},
		"tolerance, off and on":    {options{"tolerance": options{"past": -1, "future": 5}}, []string{"tolerance off"}},
		"on_duplicate":             {options{"on_duplicate": "drop"}, []string{"on_duplicate", "ack or reject"}},
		"on_conflict":              {options{"on_conflict": "drop"}, []string{"on_conflict", "reject, ack or forward"}},
		"emit":                     {options{"emit": []string{"webhook", "json"}}, []string{"emit", "webhook, cloudevents, none"}},
		"emit, none and another":   {options{"emit": []string{"none", "webhook"}}, []string{"emit none", "alone"}},
		"observe, emit none":       {options{"observe": true, "emit": []string{"none"}}, []string{"observe", "emit webhook"}},
		"sign_upstream":            {options{"sign_upstream": []string{goodSigningKey, configCanary}}, []string{"sign_upstream: secret 2", "whsec_"}},
		"sign_upstream, resolved":  {options{"sign_upstream": []string{"{env.HOOKLATCH_TEST_CANARY}"}}, []string{"sign_upstream: secret 1", "whsec_"}},
		"sign_upstream, unset":     {options{"sign_upstream": []string{goodSigningKey, "{env.HOOKLATCH_TEST_UNSET}"}}, []string{"sign_upstream: secret 2", unresolved}},
		"sign_upstream, empty":     {options{"sign_upstream": []string{""}}, []string{"sign_upstream: secret 1", "empty"}},
		"replay, unknown store":    {options{"replay": options{"store": "disk"}}, []string{"replay store", "disk"}},
		"replay, no store":         {options{"replay": options{"ttl": "1h"}}, []string{"replay store", "store"}},
		"replay, no object":        {options{"replay": "memory"}, []string{"replay"}},
		"replay, unknown option":   {options{"replay": options{"store": "memory", "sise": 5}}, []string{"replay", "sise"}},
		"replay, ttl":              {options{"replay": options{"store": "memory", "ttl": -1}}, []string{"replay", "ttl must be above zero"}},
		"replay, ttl of centuries": {options{"replay": options{"store": "memory", "ttl": "100000d"}}, []string{"replay", "ttl is longer"}},
		"replay, key":              {options{"replay": options{"store": "memory", "key": "id"}}, []string{"replay", "key", "content or delivery"}},
		"replay, size":             {options{"replay": options{"store": "memory", "size": -1}}, []string{"replay", "size must be above zero"}},
		"replay, ttl too short":    {options{"replay": options{"store": "memory", "ttl": "9m"}}, []string{"ttl 9m", "write ttl 10m"}},
		"replay, ttl of craneops":  {options{"scheme": "craneops", "tolerance": options{"past": "5m"}}, []string{"tolerance", "craneops"}},
		"replay, key needs a time": {options{"scheme": "easytools", "replay": options{"store": "memory", "key": "delivery"}}, []string{"key delivery", "key content"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.options["provider"] = "acme"
			expectError(t, caddy.Validate(configOf(t, c.options)), append(c.want, label)...)
		})
	}
}

// TestErrorsWithoutALabel checks the errors that occur before there is a label,
// or that concern it.
func TestErrorsWithoutALabel(t *testing.T) {
	for name, c := range map[string]struct {
		options options
		want    []string
	}{
		"label by default": {options{"secrets": []string{}}, []string{"verify_webhook", "cryptr", "no secret"}},
		"label":            {options{"provider": "Acme"}, []string{"provider", "a-z, 0-9, _ and -"}},
		"long label":       {options{"provider": strings.Repeat("a", 65)}, []string{"provider", "1 to 64"}},
		// Caddy itself decodes the handler and names the field.
		"unknown field": {options{"tolerate": options{"past": "5m"}}, []string{"verify_webhook", "tolerate"}},
	} {
		t.Run(name, func(t *testing.T) {
			expectError(t, caddy.Validate(configOf(t, c.options)), c.want...)
		})
	}
}

func TestLabelsOfAConfiguration(t *testing.T) {
	memory := func(size int) options { return options{"store": "memory", "size": size} }
	for name, c := range map[string]struct {
		first, second options
		want          []string // nil: allowed
	}{
		"neither is written":     {options{}, options{}, []string{"cryptr", "provider <label>"}},
		"the first is written":   {options{"provider": "cryptr"}, options{}, []string{"cryptr", "provider <label>"}},
		"the second is written":  {options{}, options{"provider": "cryptr"}, []string{"cryptr", "provider <label>"}},
		"another scheme":         {options{"provider": "acme"}, options{"provider": "acme", "scheme": "craneops"}, []string{"acme", "scheme cryptr", "provider <label>"}},
		"another scheme's name":  {options{"provider": "craneops"}, options{"scheme": "craneops"}, []string{"craneops", "provider <label>"}},
		"another size":           {options{"provider": "acme", "replay": memory(7)}, options{"provider": "acme", "replay": memory(8)}, []string{"acme", "replay settings"}},
		"a size and none":        {options{"provider": "acme"}, options{"provider": "acme", "replay": memory(7)}, []string{"acme", "replay settings"}},
		"another store":          {options{"provider": "acme", "replay": options{"store": "none"}}, options{"provider": "acme"}, []string{"acme", "replay settings"}},
		"both written and equal": {options{"provider": "acme"}, options{"provider": "acme", "replay": options{"store": "memory"}}, nil},
		"other labels":           {options{"provider": "acme"}, options{"provider": "other"}, nil},
		"other schemes":          {options{}, options{"scheme": "craneops"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := caddy.Validate(configOf(t, c.first, c.second))
			if c.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			expectError(t, err, append(c.want, "verify_webhook ")...)
		})
	}
}

func TestAllowedConfigurations(t *testing.T) {
	for name, o := range map[string]options{
		"smallest":         {},
		"tolerance off":    {"tolerance": options{"past": -1}},
		"only the future":  {"tolerance": options{"future": "1m"}},
		"escaped braces":   {"secrets": []string{`a\{b\}c`}},
		"one brace":        {"secrets": []string{"a{b"}},
		"ttl as tolerance": {"replay": options{"store": "memory", "ttl": "10m"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := caddy.Validate(configOf(t, o)); err != nil {
				t.Error(err)
			}
		})
	}
}

// jsonFields returns the JSON names of a type's fields, including embedded
// ones.
func jsonFields(of reflect.Type) (names []string) {
	for _, field := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// withoutNulls returns the configuration without the members that are null.
func withoutNulls(t *testing.T, c *caddy.Config) *caddy.Config {
	t.Helper()
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				strip(element)
			}
		case map[string]any:
			for name, member := range v {
				if member == nil {
					delete(v, name)
				} else {
					strip(member)
				}
			}
		}
	}
	var apps any
	if err := json.Unmarshal(c.AppsRaw["http"], &apps); err != nil {
		t.Fatal(err)
	}
	strip(apps)
	raw, err := json.Marshal(apps)
	if err != nil {
		t.Fatal(err)
	}
	return &caddy.Config{Admin: c.Admin, AppsRaw: caddy.ModuleMap{"http": raw}}
}

// TestNullIsUnset checks that a configuration with null in a field loads, or
// fails, as one without the field. Tools that fill in templates write null.
func TestNullIsUnset(t *testing.T) {
	in := func(option string) func(options) options {
		return func(fields options) options { return options{option: fields} }
	}
	defining := func(option string) func(options) options {
		return func(fields options) options { return acme(options{option: fields}) }
	}
	for name, c := range map[string]struct {
		fields any // its fields are null
		within func(options) options
	}{
		"handler":     {Handler{}, func(fields options) options { return fields }},
		"tolerance":   {Tolerance{}, in("tolerance")},
		"handshake":   {Handshake{}, func(fields options) options { return options{"scheme": "meta", "handshake": fields} }},
		"definition":  {schemes.Definition{}, acme},
		"signature":   {schemes.SignatureForm{}, defining("signature")},
		"variants":    {schemes.Variant{}, func(fields options) options { return acme(options{"variants": []any{fields}}) }},
		"timestamp":   {schemes.TimePlace{}, defining("timestamp")},
		"id":          {schemes.Place{}, defining("id")},
		"event":       {schemes.EventPlace{}, defining("event")},
		"occurred_at": {schemes.BodyTime{}, defining("occurred_at")},
		"replay": {memory.Store{}, func(fields options) options {
			fields["store"] = "memory"
			return options{"replay": fields}
		}},
	} {
		for _, field := range jsonFields(reflect.TypeOf(c.fields)) {
			t.Run(name+"/"+field, func(t *testing.T) {
				null := configOf(t, c.within(options{field: nil}))
				unset := withoutNulls(t, null)
				if got, want := fmt.Sprint(caddy.Validate(null)), fmt.Sprint(caddy.Validate(unset)); got != want {
					t.Errorf("null: %s; unset: %s", got, want)
				}
			})
		}
	}
}

func expectError(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("loads")
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), configCanary) {
		t.Errorf("prints the secret: %v", err)
	}
}

// TestValidatingOpensNothing checks that `caddy validate` touches no file and
// no connection. TestHistoriesAreOpenedAtStart checks that starting does.
func TestValidatingOpensNothing(t *testing.T) {
	c := &counts{}
	counted[t.Name()] = c
	h := options{"provider": "acme", "replay": options{"store": "test_counting", "Name": t.Name()}}
	if err := caddy.Validate(configOf(t, h, h)); err != nil {
		t.Fatal(err)
	}
	if *c != (counts{}) {
		t.Errorf("validating did %+v", *c)
	}
}

// acme is a user's own scheme, with changes.
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

// TestOneLabelOneDefinition checks that handlers that share a history have the
// same definition of a delivery.
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
