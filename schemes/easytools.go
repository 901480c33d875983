package schemes

import (
	"encoding/hex"
	"net/http"
)

func init() { Register(easytools) }

// easytools signs the body alone. The body has the event's time, which can
// serve as a signed time if the user allows for the age of a retry.
var easytools = &Scheme{
	Name:            "easytools",
	Source:          "Easytools help, Generate webhook signing key; easy.tools/docs/list-of-webhook-events",
	SignatureHeader: easytoolsSignature,
	SignedBytes:     "body",
	Time:            TimeInBody,
	Keys:            textKey,
	Open:            openEasytools,
	Read:            readEasytools,
	Sign:            signEasytools,
}

const easytoolsSignature = "X-Webhook-Signature"

var easytoolsRefusals = signatureRefusals(easytoolsSignature, "64 hex digits")

func openEasytools(h http.Header, c *Claim) error {
	return openHex(h, easytoolsSignature, &easytoolsRefusals, c)
}

var easytoolsMembers = []string{"event", "timestamp"}

func readEasytools(_ *Claim, body []byte) Facts {
	found, _ := members(body, easytoolsMembers)
	at := found[1].unixSeconds()
	return Facts{Event: found[0].text(), OccurredAt: at, BodyTime: at}
}

func signEasytools(key []byte, d Outgoing) (http.Header, error) {
	switch {
	case d.ID != "":
		return nil, errNoID
	case d.Event != "":
		return nil, errEventInBody
	}
	return http.Header{easytoolsSignature: {hex.EncodeToString(hmacSHA256(key, d.Body))}}, nil
}
