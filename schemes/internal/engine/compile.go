package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// defined is a definition that has been checked and compiled.
type defined struct {
	Definition
	kinds    []kind
	template *template
	sets     []headerSet // the first is the definition's own
	body     bodyPlan
	single   bool // the header is one signature, not a list

	ids       grammar
	fixedTime bool // the send time has the full number of digits
	eventAt   int  // which of the template's headers is the event's, or -1
}

// kind is one kind of signature.
type kind struct {
	name      string // of the entry in a list
	algorithm Algorithm
	key       string
}

// Compile checks a definition and turns it into a scheme. The name is the one
// that users write: 1 to 64 of a-z, 0-9, _ and -. Errors begin with the field
// that is wrong and say what to write instead; the same definition always
// returns the same error.
func (d Definition) Compile(name string) (Scheme, error) {
	if !isSchemeName(name) {
		return Scheme{}, errors.New("this is not the name of a scheme; write 1 to 64 of a-z, 0-9, _ and -")
	}
	c := &defined{Definition: d.clone()}
	for _, step := range []func() error{
		c.compileKinds, c.compileForm, c.compileTemplate, c.checkPlaces, c.compileHeaders, c.compileBody,
	} {
		if err := step(); err != nil {
			return Scheme{}, err
		}
	}
	return c.implementation(name).Compile()
}

// clone copies a definition, so that later changes to it do not change the
// scheme.
func (d Definition) clone() Definition {
	d.Signature.Names = slices.Clone(d.Signature.Names)
	d.Variants = slices.Clone(d.Variants)
	d.Aliases = slices.Clone(d.Aliases)
	for i, alias := range d.Aliases {
		d.Aliases[i] = maps.Clone(alias)
	}
	return d
}

func (c *defined) implementation(name string) Implementation {
	own := &c.sets[0]
	s := Implementation{
		Name:            name,
		Source:          c.Source,
		Witness:         c.Witness,
		Sending:         c.Sending,
		Description:     c.describe(),
		SignatureHeader: own.signature.name,
		SignedHeaders:   own.signed(),
		UnsignedHeaders: own.unsigned(),
		SignedBytes:     c.Signed,

		TokenHeader:      c.TokenHeader,
		UniqueOccurrence: c.OccurrenceIDUnique,
		OnConflict:       c.OnConflict,
		Defaults:         c.Defaults,

		SignsID:      !c.ID.isZero(),
		SignsRequest: c.template.has(urlVar) || c.template.has(methodVar),
		SecretForm:   c.secretForm(),
		Keys:         c.keys,
		SigningKey:   c.signingKey,
		Begin:        c.begin,
		Read:         c.read,
		Sign:         c.sign,
		Handshake:    c.Handshake,
	}
	for i := range c.sets[1:] {
		s.AliasHeaders = append(s.AliasHeaders, c.sets[1+i].signedAll()...)
	}
	if c.Signed == onlyBody {
		s.SignedBytes = "body"
	}
	if c.JSONObject {
		s.BodyBegins = "{"
	}
	switch {
	case c.template.has(timestampVar):
		s.Time = TimeInHeaders
	case c.Timestamp.Body != "":
		s.Time = TimeInBody
	}
	return s
}

// secretForm names the forms of the keys.
func (c *defined) secretForm() string {
	forms := make([]string, len(c.kinds))
	for i := range c.kinds {
		forms[i] = c.kinds[i].key
	}
	return strings.Join(forms, " or ")
}

// compileKinds reads algorithms and keys.
func (c *defined) compileKinds() error {
	if len(c.Variants) == 0 {
		algorithm, err := algorithmOf("algorithm", c.Algorithm)
		if err != nil {
			return err
		}
		key, err := oneOf("key", c.Key, keyForms(algorithm)...)
		c.kinds = []kind{{algorithm: algorithm, key: key}}
		return err
	}
	if c.Algorithm != "" || c.Key != "" || len(c.Signature.Names) > 0 {
		return errors.New("variants: each has an algorithm, a key and a name of its own; leave algorithm, key and the signature's names out beside them")
	}
	if len(c.Variants) > maxVariants {
		return fmt.Errorf("variants: there may be %d; write fewer", maxVariants)
	}
	for i, v := range c.Variants {
		field := fmt.Sprintf("variants: %d", i+1)
		algorithm, err := algorithmOf(field+": algorithm", v.Algorithm)
		if err != nil {
			return err
		}
		if _, err := oneOf(field+": key", v.Key, keyForms(algorithm)...); err != nil {
			return err
		}
		if keyMark(v.Key) == "" {
			return fmt.Errorf("%s: key: a secret must show which variant it is for; write whsec_, whpk_ or pem", field)
		}
		for _, other := range c.kinds {
			if other.name == v.Name || other.key == v.Key {
				return fmt.Errorf("%s: another variant has this name or this key too; give each its own", field)
			}
		}
		c.kinds = append(c.kinds, kind{name: v.Name, algorithm: algorithm, key: v.Key})
	}
	return nil
}

// maxVariants bounds the variants of a scheme. No known provider has as many.
const maxVariants = 8

func algorithmOf(field, name string) (Algorithm, error) {
	all := make([]string, 0, len(algorithms))
	for a := HMACSHA256; a <= ECDSAP256; a++ {
		all = append(all, a.String())
	}
	name, err := oneOf(field, name, all...)
	return Algorithm(slices.Index(all, name)), err
}

// onlyBody is the template of a scheme that signs only the body.
const onlyBody = "{body}"

func (c *defined) compileTemplate() error {
	var err error
	if c.Timestamp.Unit, err = oneOf("timestamp: unit", c.Timestamp.Unit, unitSeconds, unitMillis, unitRFC3339); err != nil {
		return err
	}
	c.Signed = cmp.Or(c.Signed, onlyBody)
	if c.template, err = parseTemplate(c.Signed, c.Timestamp.Unit); err != nil {
		return fmt.Errorf("signed: %w", err)
	}
	c.ids = c.template.grammarOf(idVar, idGrammar)
	for i := range c.template.parts {
		c.fixedTime = c.fixedTime || c.template.parts[i].fixed
	}
	begins := ""
	if c.JSONObject {
		begins = "{"
	}
	if err := c.template.checkUnambiguous(begins); err != nil {
		return fmt.Errorf("signed: %w", err)
	}
	return nil
}

// checkPlaces compares the template with the places of its values.
func (c *defined) checkPlaces() error {
	for _, p := range []struct {
		field    string
		place    Place
		variable variable
		unsigned string // how to declare it otherwise
	}{
		{"timestamp", c.Timestamp.Place, timestampVar, "leave timestamp out: a time that is not signed proves nothing"},
		{"id", c.ID, idVar, "write it as occurrence_id"},
	} {
		signed := c.template.has(p.variable)
		switch {
		case p.place.count() > 1:
			return fmt.Errorf("%s: it is in one place; write one of header, field and body", p.field)
		case signed && p.place.isZero():
			return fmt.Errorf("signed: {%s} is there, and nothing says where it is; write %s with a header, or a field of the signature header", p.field, p.field)
		case signed && p.place.Body != "":
			return fmt.Errorf("%s: a member of the body is signed with the body; take {%s} out of signed, or write its header or field", p.field, p.field)
		case !signed && !p.place.isZero() && p.place.Body == "":
			return fmt.Errorf("%s: it is not in the template and so not signed; add {%s} to signed if the provider signs it, else %s", p.field, p.field, p.unsigned)
		}
	}
	return nil
}

func (p Place) isZero() bool { return p == Place{} }

func (p Place) count() (n int) {
	for _, name := range []string{p.Header, p.Field, p.Body} {
		if name != "" {
			n++
		}
	}
	return n
}

// compileHeaders checks the headers and prepares their refusals.
func (c *defined) compileHeaders() error {
	for _, h := range []struct{ field, name string }{
		{"signature: header", c.Signature.Header},
		{"timestamp: header", c.Timestamp.Header},
		{"id: header", c.ID.Header},
		{"event: header", c.Event.Header},
		{"occurrence_id", c.OccurrenceID},
	} {
		if h.name == "" && h.field != "signature: header" {
			continue
		}
		if err := checkHeaderName(h.name); err != nil {
			return fmt.Errorf("%s: %w", h.field, err)
		}
	}
	if c.OccurrenceIDUnique && c.OccurrenceID == "" {
		return errors.New("occurrence_id_unique: there is no occurrence_id that could be unique; write its header in occurrence_id, or leave occurrence_id_unique out")
	}
	own := c.headerSet(func(name string) string { return name })
	for i, name := range own.signedAll() {
		if slices.Contains(own.signedAll()[:i], name) {
			return fmt.Errorf("signed: the header %s has two meanings; give each value its own header", name)
		}
	}
	if slices.Contains(own.signedAll(), own.occurrence) {
		return fmt.Errorf("occurrence_id: the header %s is signed; write it as id, or leave it out", own.occurrence)
	}
	if own.event != "" && !own.eventSigned() && slices.Contains(own.signedAll(), own.event) {
		return fmt.Errorf("event: the header %s holds another signed value; write the event's own header", own.event)
	}
	c.eventAt = own.eventAt()
	c.sets = []headerSet{own}
	for i, alias := range c.Aliases {
		if err := c.addAlias(fmt.Sprintf("aliases: %d", i+1), alias); err != nil {
			return err
		}
	}
	return nil
}

// addAlias adds a header set with other names.
func (c *defined) addAlias(field string, alias map[string]string) error {
	renamed := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(alias)) {
		for _, h := range []string{name, alias[name]} {
			if err := checkHeaderName(h); err != nil {
				return fmt.Errorf("%s: %w", field, err)
			}
		}
		canonical := http.CanonicalHeaderKey(name)
		if !slices.Contains(c.sets[0].all(), canonical) {
			return fmt.Errorf("%s: the definition has no such header; name those that it has", field)
		}
		renamed[canonical] = alias[name]
	}
	for _, name := range c.sets[0].signedAll() {
		if renamed[name] == "" {
			return fmt.Errorf("%s: %s has no other name in it; name every signed header", field, name)
		}
	}
	set := c.headerSet(func(name string) string {
		return cmp.Or(renamed[http.CanonicalHeaderKey(name)], name)
	})
	for _, name := range set.signedAll() {
		for _, other := range c.sets {
			if slices.Contains(other.signedAll(), name) {
				return fmt.Errorf("%s: %s belongs to another set too; the names of the sets differ", field, name)
			}
		}
	}
	c.sets = append(c.sets, set)
	return nil
}
