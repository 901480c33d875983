package providers

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

func init() { engine.Register(mceasy) }

// mceasy signs the send time, the event id and the body, joined with `|>`.
// The joined text is ambiguous by itself. A valid delivery cannot be cut into
// another one only because time and event id consist of digits.
var mceasy = engine.Implementation{
	Name:   "mceasy",
	Source: "McEasy documentation, Webhook: Security; docs.mceasy.com/guide/webhook",
	Witness: engine.Witness{
		Note: "The samples on the provider's page agree once fixed. The signature that it has published cannot be reproduced.",
	},
	Description: engine.Description{
		Signature:    "`X-McEasyWebhook-Signature`",
		Algorithm:    engine.HMACSHA256.String(),
		Encoding:     "base64, after `v1.N:`",
		Time:         "`X-McEasyWebhook-Timestamp`, milliseconds",
		Event:        "`event_type` and `event_name`, such as alarm.harsh_braking, else `X-McEasyWebhook-Event`",
		OccurrenceID: "`X-McEasyWebhook-Occurrence-ID`",
	},
	SignatureHeader: mceasySignature,
	SignedHeaders:   []string{mceasyTime, mceasyEvent},
	UnsignedHeaders: []string{mceasyOccurrence},
	SignedBytes:     "time |> event id |> body",

	UniqueOccurrence: true, // the id of the job at McEasy that the event comes from
	Time:             engine.TimeInHeaders,
	SecretForm:       "base64",
	Keys:             mceasyKeys,
	Begin:            openMcEasy,
	Read:             readMcEasy,
	Sign:             signMcEasy,
}

const (
	mceasySignature  = "X-Mceasywebhook-Signature"
	mceasyTime       = "X-Mceasywebhook-Timestamp"
	mceasyEvent      = "X-Mceasywebhook-Event"
	mceasyOccurrence = "X-Mceasywebhook-Occurrence-Id"
	mceasyJoin       = "|>"

	mceasyMaxEventDigits = 10 // event ids are type numbers; about 30 are known
)

var (
	mceasySignatureRefusals = engine.SignatureRefusals("X-McEasyWebhook-Signature", "v1.<number>: and 32 bytes in base64")
	mceasyTimeRefusals      = engine.SignedHeaderRefusals("X-McEasyWebhook-Timestamp", "1 to 13 digits")
	mceasyEventRefusals     = engine.SignedHeaderRefusals("X-McEasyWebhook-Event", "1 to 10 digits")
)

// mceasyKeys decodes the secret. The code in the documentation then passes the
// decoded bytes to HMAC as text, which turns every byte above 0x7F into two;
// the prose does not mention this. Both keys come from the same secret, so
// accepting both is safe.
func mceasyKeys(secret string) ([]engine.Key, error) {
	key, err := engine.Base64Key(engine.Bare(secret), "is not base64, in which McEasy's secrets are written; write the whole secret")
	if err != nil {
		return nil, err
	}
	keys := []engine.Key{{Secret: key}}
	asText := make([]byte, 0, 2*len(key))
	for _, b := range key {
		asText = append(asText, string(rune(b))...)
	}
	if !slices.Equal(asText, key) {
		keys = append(keys, engine.Key{Secret: asText})
	}
	return keys, nil
}

func openMcEasy(r engine.Request, c *engine.SignedHeaders) error {
	h := r.Header
	text, err := engine.Single(h, mceasySignature, &mceasySignatureRefusals)
	if err != nil {
		return err
	}
	mac, ok := cutMcEasyVersion(text)
	if !ok || !c.AddBase64(engine.StrictBase64, mac, sha256.Size, 0) {
		return mceasySignatureRefusals.Malformed
	}

	if c.SentAtText, err = engine.Single(h, mceasyTime, &mceasyTimeRefusals); err != nil {
		return err
	}
	sent, ok := engine.Number(c.SentAtText, engine.MaxMillisDigits)
	if !ok {
		return mceasyTimeRefusals.Malformed
	}
	c.SentAt = mceasyClock(sent)

	event, err := engine.Single(h, mceasyEvent, &mceasyEventRefusals)
	if err != nil {
		return err
	}
	if _, ok := engine.Number(event, mceasyMaxEventDigits); !ok {
		return mceasyEventRefusals.Malformed
	}
	c.Identity = append(c.Identity, event...)

	c.OccurrenceID = engine.UnsignedValue(h, mceasyOccurrence)
	c.Prefix = append(c.Prefix, c.SentAtText...)
	c.Prefix = append(c.Prefix, mceasyJoin...)
	c.Prefix = append(c.Prefix, c.Identity...)
	c.Prefix = append(c.Prefix, mceasyJoin...)
	return nil
}

// cutMcEasyVersion removes the label v1 with any minor number from the
// signature. The documentation shows v1.0 and v1.2. The label is not part of
// the MAC and proves nothing either way. Another major version may mean another
// MAC.
func cutMcEasyVersion(text string) (mac string, ok bool) {
	const major, maxMinorDigits = "v1.", 3
	rest, ok := strings.CutPrefix(text, major)
	if !ok {
		return "", false
	}
	minor, mac, ok := strings.Cut(rest, ":")
	if !ok {
		return "", false
	}
	_, ok = engine.Number(minor, maxMinorDigits)
	return mac, ok
}

// mceasyClock reads the time as milliseconds. The documentation's example is
// shorter and can only be seconds. The limit between the two is in the year
// 1973 as milliseconds and 5138 as seconds.
func mceasyClock(n int64) time.Time {
	const firstMilliseconds = 1e11
	if n < firstMilliseconds {
		return time.Unix(n, 0)
	}
	return time.UnixMilli(n)
}

var mceasyMembers = engine.Paths("event_type", "event_name")

// readMcEasy names the event by type and name, such as alarm.harsh_braking,
// since the signed event id is only a number. If either is missing, the number
// is the name.
func readMcEasy(c *engine.SignedHeaders, body []byte) engine.Event {
	found, _ := engine.Members(body, mceasyMembers)
	kind, name := found[0].Text(), found[1].Text()
	if kind == "" || name == "" {
		return engine.Event{Type: string(c.Identity)}
	}
	return engine.Event{Type: identifier(kind) + "." + identifier(name)}
}

// identifier writes a name in lower case, with an underscore in place of every
// run of characters other than ASCII letters and digits.
func identifier(s string) string {
	var b strings.Builder
	inRun := false
	for i := range len(s) {
		ch := s[i]
		if 'A' <= ch && ch <= 'Z' {
			ch += 'a' - 'A'
		}
		word := 'a' <= ch && ch <= 'z' || '0' <= ch && ch <= '9'
		switch {
		case word:
			b.WriteByte(ch)
		case !inRun:
			b.WriteByte('_')
		}
		inRun = !word
	}
	return b.String()
}

func signMcEasy(key engine.Key, d engine.Delivery) (http.Header, error) {
	event := d.Event
	if event == "" {
		found, _ := engine.Members(d.Body, engine.Paths("event_id"))
		event = found[0].Digits()
	}
	if _, ok := engine.Number(event, mceasyMaxEventDigits); !ok {
		return nil, errors.New("mceasy signs an event id of 1 to 10 digits; give it as the event, or as event_id in the body")
	}
	sent := strconv.FormatInt(d.At.UnixMilli(), 10)
	mac, err := key.Sign([]byte(sent+mceasyJoin+event+mceasyJoin), d.Body)
	if err != nil {
		return nil, err
	}
	h := http.Header{
		mceasyTime:      {sent},
		mceasyEvent:     {event},
		mceasySignature: {"v1.0:" + engine.StrictBase64.EncodeToString(mac)},
	}
	if d.ID != "" {
		h.Set(mceasyOccurrence, d.ID)
	}
	return h, nil
}
