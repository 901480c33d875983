package engine

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// sign is Scheme.Sign of a definition, with the definition's own names.
func (c *defined) sign(key Key, d Delivery) (http.Header, error) {
	set := &c.sets[0]
	if err := c.checkDelivery(set, &d); err != nil {
		return nil, err
	}
	in := Request{Header: http.Header{}, Method: d.Request.Method, Scheme: d.Request.Scheme, Host: d.Request.Host, URI: d.Request.URI}
	put := func(name, value string) {
		if name != "" && value != "" {
			in.Header[name] = []string{value}
		}
	}
	claim := SignedHeaders{SentAtText: writeTime(d.At, c.Timestamp.Unit)}
	if c.template.has(idVar) {
		claim.ID = d.ID
		put(set.id.name, d.ID)
	} else {
		put(set.occurrence, d.ID)
	}
	put(set.time.name, claim.SentAtText)
	for _, h := range set.values {
		put(h.name, d.Request.Header.Get(h.name))
	}
	put(set.event, d.Event)
	if err := c.fill(&in, set, &claim); err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	signature, err := key.Sign(claim.Prefix, d.Body, claim.Suffix)
	if err != nil {
		return nil, err
	}
	put(set.signature.name, c.writeSignature(key.Variant, signature, &claim))
	return in.Header, nil
}

// checkDelivery fails if a value that the scheme needs is missing, or if one is
// set that its provider does not send.
func (c *defined) checkDelivery(set *headerSet, d *Delivery) error {
	signsID := c.template.has(idVar)
	switch {
	case signsID && !isID(c.ids, d.ID):
		return errors.New("this scheme signs " + c.idWords() + "; give one as the ID")
	case !signsID && d.ID != "" && set.occurrence == "":
		return ErrNoID
	case d.Event != "" && set.event == "" && c.Event.Body != "":
		return ErrEventInBody
	case d.Event != "" && set.event == "":
		return ErrNoEvent
	case c.template.has(urlVar) && d.Request.Host == "":
		return errors.New("this scheme signs the URL; give it")
	case c.template.has(methodVar) && d.Request.Method == "":
		return errors.New("this scheme signs the method; give it")
	}
	if _, ok := signedTime(writeTime(d.At, c.Timestamp.Unit), c.Timestamp.Unit, c.fixedTime); !ok && c.template.has(timestampVar) {
		return errors.New("this scheme cannot write the send time; give a later one")
	}
	return nil
}

// writeTime formats a send time in a unit.
func writeTime(at time.Time, unit string) string {
	switch unit {
	case unitMillis:
		return strconv.FormatInt(at.UnixMilli(), 10)
	case unitRFC3339:
		return at.UTC().Format(time.RFC3339)
	}
	return strconv.FormatInt(at.Unix(), 10)
}
