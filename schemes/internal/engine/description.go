package engine

import (
	"fmt"
	"slices"
	"strings"
)

// Witness is the evidence that a scheme is right, besides the documentation
// that its Source names. It does not include real deliveries, because none was
// available.
type Witness struct {
	// Published names the page on which the provider has published a signature
	// with its secret and body. A test vector holds it.
	Published string

	// Signs names the libraries that sign as the provider does, with their
	// versions. A test verifies deliveries that they signed.
	Signs string

	// Verifies names the libraries that verify the provider's deliveries, with
	// their versions. A test compares their verdicts with ours.
	Verifies string

	// Note is a remark on this evidence.
	Note string
}

// String names the strongest kind first: published signature, official library
// or, without either, documentation only.
func (w Witness) String() string {
	var kinds []string
	if w.Published != "" {
		kinds = append(kinds, "published signature")
	}
	if w.Signs != "" || w.Verifies != "" {
		kinds = append(kinds, "official library")
	}
	if len(kinds) == 0 {
		return "documentation only"
	}
	return strings.Join(kinds, ", ")
}

// Description says in words where the deliveries of a scheme carry each value.
// It is only shown. Names are as the provider writes them, between backquotes.
type Description struct {
	// Signature is the header of the signature, and its other names.
	Signature string
	// Algorithm names one or more of the algorithms of a definition.
	Algorithm string
	// Encoding is how the signature is written.
	Encoding string
	// Time is where the signed time is.
	Time string
	// ID is where the signed id is.
	ID string
	// Event is where the type of the event is, if it is signed.
	Event string
	// OccurredAt is where the event's own time is.
	OccurredAt string
	// Tenant and Environment are where the body says whose event it is and from
	// which environment.
	Tenant, Environment string
	// UnsignedEvent and OccurrenceID are the headers of values that are not
	// signed.
	UnsignedEvent, OccurrenceID string
	// Conflict says why the scheme sets OnConflict.
	Conflict string
}

// describe makes the description of a definition.
func (c *defined) describe() Description {
	d := Description{
		Signature:   c.withAliases(c.Signature.Header),
		Algorithm:   c.algorithmNames(),
		Encoding:    c.encodingWords(),
		Time:        c.timeWords(),
		ID:          c.placeWords(c.ID),
		Event:       quoted(c.Event.Body),
		OccurredAt:  bodyTimeWords(c.OccurredAt),
		Tenant:      quoted(c.Tenant),
		Environment: quoted(c.Environment),
		Conflict:    c.ConflictReason,

		OccurrenceID: c.withAliases(c.OccurrenceID),
	}
	switch header := c.withAliases(c.Event.Header); {
	case !c.sets[0].eventSigned():
		d.UnsignedEvent = header
	case d.Event == "":
		d.Event = header
	default:
		d.Event += ", else " + header
	}
	return d
}

// quoted returns a name between backquotes, or nothing for an empty name.
func quoted(name string) string {
	if name == "" {
		return ""
	}
	return "`" + name + "`"
}

// withAliases returns a header and its names in other sets.
func (c *defined) withAliases(header string) string {
	names := []string{quoted(header)}
	for _, set := range c.Aliases {
		if other := set[header]; other != "" {
			names = append(names, quoted(other))
		}
	}
	return strings.Join(names, " or ")
}

func (c *defined) algorithmNames() string {
	var names []string
	for _, k := range c.kinds {
		if name := k.algorithm.String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// encodingWords says how a signature is written, and which entries hold it.
func (c *defined) encodingWords() string {
	words := c.Signature.Encoding
	if c.Signature.Prefix != "" {
		words += ", after " + quoted(c.Signature.Prefix)
	}
	if c.Signature.Separator == "" {
		return words
	}
	var names []string
	for _, name := range c.Signature.Names {
		names = append(names, quoted(name))
	}
	for _, v := range c.Variants {
		names = append(names, quoted(v.Name))
	}
	return words + ", entries " + strings.Join(names, " and ")
}

func (c *defined) timeWords() string {
	words := c.placeWords(c.Timestamp.Place)
	if words == "" {
		return ""
	}
	words += ", " + unitWords(c.Timestamp.Unit)
	if c.Timestamp.Body != "" {
		words += ", only if `tolerance` is set"
	}
	return words
}

// placeWords says where a value is.
func (c *defined) placeWords(p Place) string {
	switch {
	case p.Header != "":
		return c.withAliases(p.Header)
	case p.Field != "":
		return fmt.Sprintf("%s in the signature header", quoted(p.Field))
	case p.Body != "":
		return fmt.Sprintf("%s in the body", quoted(p.Body))
	}
	return ""
}

func bodyTimeWords(t BodyTime) string {
	if t.Body == "" {
		return ""
	}
	return quoted(t.Body) + ", " + unitWords(t.Unit)
}

// unitWords names a unit of time. The default is seconds.
func unitWords(unit string) string {
	switch unit {
	case unitMillis:
		return "milliseconds"
	case unitRFC3339:
		return "RFC 3339"
	}
	return "seconds"
}
