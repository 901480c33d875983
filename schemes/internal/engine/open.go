package engine

import "net/http"

// mixedHeaders refuses a delivery with the headers of two sets: an application
// could read those that were not verified.
var mixedHeaders = Refuse(MalformedSignature, "it has signed headers under two sets of names")

// begin is Scheme.Begin of a definition.
func (c *defined) begin(r Request, claim *SignedHeaders) error {
	set, err := c.setOf(r.Header)
	if err != nil {
		return err
	}
	if set.occurrence != "" {
		claim.OccurrenceID = UnsignedValue(r.Header, set.occurrence)
	}
	if set.event != "" && c.eventAt < 0 {
		claim.UnsignedEvent = UnsignedValue(r.Header, set.event)
	}
	if err := c.openSignature(r.Header, set, claim); err != nil {
		return err
	}
	if set.time.name != "" {
		if claim.SentAtText, err = Single(r.Header, set.time.name, &set.time.Refusals); err != nil {
			return err
		}
		if !c.takeTime(claim) {
			return set.time.Malformed
		}
	}
	if set.id.name != "" {
		if claim.ID, err = Single(r.Header, set.id.name, &set.id.Refusals); err != nil {
			return err
		}
		if !isID(c.ids, claim.ID) {
			return set.id.Malformed
		}
	}
	return c.fill(&r, set, claim)
}

// setOf returns the header set that a delivery uses, or the definition's own if
// it has no headers of any set.
func (c *defined) setOf(h http.Header) (*headerSet, error) {
	set := &c.sets[0]
	if len(c.sets) == 1 {
		return set, nil
	}
	sent := 0
	for i := range c.sets {
		if c.sets[i].sent(h) {
			set = &c.sets[i]
			sent++
		}
	}
	if sent > 1 {
		return nil, mixedHeaders
	}
	return set, nil
}

func (c *defined) takeTime(claim *SignedHeaders) (ok bool) {
	claim.SentAt, ok = signedTime(claim.SentAtText, c.Timestamp.Unit, c.fixedTime)
	return ok
}

// fill builds the signed text before and after the body, and collects the parts
// of it that belong to the identity of a delivery without an id.
func (c *defined) fill(r *Request, set *headerSet, claim *SignedHeaders) error {
	text := &claim.Prefix
	for i := range c.template.parts {
		p := &c.template.parts[i]
		start := len(*text)
		switch p.kind {
		case literal:
			*text = append(*text, p.text...)
			continue
		case bodyVar:
			text = &claim.Suffix
			continue
		case timestampVar:
			*text = append(*text, claim.SentAtText...)
			continue
		case idVar:
			*text = append(*text, claim.ID...)
			continue
		case urlVar:
			var err error
			if *text, err = r.AppendURL(*text); err != nil {
				return err
			}
			if !isAll(p.grammar, (*text)[start:]) {
				return malformedURL
			}
			claim.KeepURL(r)
			claim.urlAt, claim.urlInSuffix = start, text == &claim.Suffix
		case methodVar:
			if len(r.Method) > maxMethodLen || !isAll(p.grammar, r.Method) {
				return malformedMethod
			}
			*text = append(*text, r.Method...)
		case headerVar:
			h := &set.values[p.at]
			value, err := Single(r.Header, h.name, &h.Refusals)
			if err != nil {
				return err
			}
			if len(value) > MaxHeader || !isAll(p.grammar, value) {
				return h.Malformed
			}
			if p.at == c.eventAt {
				claim.Event = value
			}
			*text = append(*text, value...)
		}
		if len(claim.Identity) > 0 {
			claim.Identity = append(claim.Identity, 0)
		}
		claim.Identity = append(claim.Identity, (*text)[start:]...)
	}
	return nil
}

var malformedMethod = Refuse(MalformedSignedHeader, "the method is not of 1 to 32 letters in upper case, or is not known")
