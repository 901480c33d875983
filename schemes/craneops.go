package schemes

import (
	"encoding/hex"
	"net/http"
)

func init() { Register(craneops) }

// craneops signs the body alone, so a capture stays valid for ever and only
// the history of replays stops it. The event type's header is not signed.
var craneops = &Scheme{
	Name:            "craneops",
	Source:          "CraneOps dashboard, API & Webhooks: Webhook Security",
	SignatureHeader: craneopsSignature,
	UnsignedHeaders: []string{craneopsEvent},
	SignedBytes:     "body",
	Time:            NoTime,
	Keys:            textKey,
	Open:            openCraneOps,
	Read:            readCraneOps,
	Sign:            signCraneOps,
}

const (
	craneopsSignature = "X-Craneops-Signature"
	craneopsEvent     = "X-Craneops-Event"
)

var craneopsRefusals = signatureRefusals("X-CraneOps-Signature", "64 hex digits")

func openCraneOps(h http.Header, c *Claim) error {
	c.UnsignedEvent = unsigned(h, craneopsEvent)
	return openHex(h, craneopsSignature, &craneopsRefusals, c)
}

// openHex reads a signature header that is nothing but the MAC in hex.
func openHex(h http.Header, name string, refuse *refusals, c *Claim) error {
	text, err := single(h, name, refuse)
	if err != nil {
		return err
	}
	c.MACs = append(c.MACs, [32]byte{})
	if !decodeHex(text, &c.MACs[0]) {
		return refuse.malformed
	}
	return nil
}

var craneopsMembers = []string{"event"}

func readCraneOps(_ *Claim, body []byte) Facts {
	found, _ := members(body, craneopsMembers)
	return Facts{Event: found[0].text()}
}

func signCraneOps(key []byte, d Outgoing) (http.Header, error) {
	if d.ID != "" {
		return nil, errNoID
	}
	h := http.Header{craneopsSignature: {hex.EncodeToString(hmacSHA256(key, d.Body))}}
	if d.Event != "" {
		h.Set(craneopsEvent, d.Event)
	}
	return h, nil
}
