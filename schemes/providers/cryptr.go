package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

func init() { engine.Register(cryptr) }

// cryptr signs the send time and the body. After a change of the key it also
// signs with the previous one (v0), so that no delivery is refused during the
// change.
var cryptr = engine.Implementation{
	Name:   "cryptr",
	Source: "Cryptr documentation, Deploy your first Webhook: Webhook Security",
	Witness: engine.Witness{
		Note: "The samples on the provider's page agree once fixed. The signature that it has published cannot be reproduced.",
	},
	Sending: engine.Sending{
		Retries: "up to 4 after an answer with an error; none without an answer",
	},
	Description: engine.Description{
		Signature:   "`cryptr-signature`",
		Algorithm:   engine.HMACSHA256.String(),
		Encoding:    "hex or base64url, entries `v1` and `v0`",
		Time:        "`t` in the signature header, seconds",
		Event:       "`code`",
		OccurredAt:  "`issued_at`, RFC 3339",
		Tenant:      "`__domain__`",
		Environment: "`__environment__`",
	},
	SignatureHeader: cryptrSignature,
	SignedBytes:     "t . body",
	Time:            engine.TimeInHeaders,
	SecretForm:      "text",
	Keys:            engine.TextKey,
	Begin:           openCryptr,
	Read:            readCryptr,
	Sign:            signCryptr,
}

const cryptrSignature = "Cryptr-Signature"

var cryptrRefusals = engine.SignatureRefusals("cryptr-signature",
	"t=<1 to 10 digits> with v1=<MAC>, v0=<MAC> or both, each once, a MAC being 64 hex digits or 32 bytes in base64url after an optional sha256.")

// openCryptr finds the elements by their names: the documentation's header
// separates them with commas, and its code splits at spaces. It refuses a
// repeated element: one could be checked and the other one signed.
func openCryptr(r engine.Request, c *engine.SignedHeaders) error {
	text, err := engine.Single(r.Header, cryptrSignature, &cryptrRefusals)
	if err != nil {
		return err
	}
	if len(text) > engine.MaxHeader {
		return cryptrRefusals.Malformed
	}
	var seen struct{ t, v1, v0 bool }
	for rest := text; rest != ""; {
		var element string
		element, rest = cutElement(rest)
		once := true
		ok := true
		switch name, value := cutName(element); name {
		case "t":
			once, seen.t = !seen.t, true
			ok = setSeconds(c, value)
		case "v1":
			once, seen.v1 = !seen.v1, true
			addCryptrMAC(c, value) // a value that is not a MAC proves nothing either way
		case "v0":
			once, seen.v0 = !seen.v0, true
			addCryptrMAC(c, value)
		}
		if !once || !ok {
			return cryptrRefusals.Malformed
		}
	}
	if !seen.t || len(c.Signatures) == 0 {
		return cryptrRefusals.Malformed
	}
	c.Prefix = append(append(c.Prefix, c.SentAtText...), '.')
	return nil
}

// cutElement splits s at its first comma, space or tab.
func cutElement(s string) (element, rest string) {
	for i := range len(s) {
		if s[i] == ',' || s[i] == ' ' || s[i] == '\t' {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// cutName splits an element at its first equals sign.
func cutName(element string) (name, value string) {
	for i := range len(element) {
		if element[i] == '=' {
			return element[:i], element[i+1:]
		}
	}
	return "", ""
}

// setSeconds sets the send time from Unix seconds.
func setSeconds(c *engine.SignedHeaders, text string) bool {
	n, ok := engine.Number(text, engine.MaxSecondsDigits)
	c.SentAt, c.SentAtText = time.Unix(n, 0), text
	return ok
}

// addCryptrMAC decodes a MAC, and ignores any other text. The documentation
// shows hex in its headers and base64url in its code; their lengths differ.
func addCryptrMAC(c *engine.SignedHeaders, text string) {
	const algorithm = "sha256."
	if len(text) > len(algorithm) && text[:len(algorithm)] == algorithm {
		text = text[len(algorithm):]
	}
	switch {
	case len(text) == 2*sha256.Size:
		c.AddHex(text, sha256.Size, 0)
	case strings.HasSuffix(text, "="):
		c.AddBase64(engine.StrictBase64URL, text, sha256.Size, 0)
	default:
		c.AddBase64(engine.StrictRawBase64URL, text, sha256.Size, 0)
	}
}

var cryptrMembers = engine.Paths("code", "issued_at", "__domain__", "__environment__")

func readCryptr(_ *engine.SignedHeaders, body []byte) engine.Event {
	found, _ := engine.Members(body, cryptrMembers)
	return engine.Event{
		Type: found[0].Text(), OccurredAt: found[1].RFC3339(),
		Tenant: found[2].Text(), Environment: found[3].Text(),
	}
}

func signCryptr(key engine.Key, d engine.Delivery) (http.Header, error) {
	switch {
	case d.ID != "":
		return nil, engine.ErrNoID
	case d.Event != "":
		return nil, engine.ErrEventInBody
	}
	t := strconv.FormatInt(d.At.Unix(), 10)
	mac, err := key.Sign([]byte(t+"."), d.Body)
	if err != nil {
		return nil, err
	}
	return http.Header{cryptrSignature: {"t=" + t + ",v1=sha256." + hex.EncodeToString(mac)}}, nil
}
