package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// trial is a delivery whose verdicts are compared.
type trial struct {
	specimen
	secret  string
	url     string // as it was received
	headers []harness.Header
	body    []byte
	changes []string // the unusual properties of the delivery
	signer  string   // the key that the sender signed with
	sent    draft    // what its sender signed
	now     time.Time
}

func (c *trial) changed(words string) { c.changes = append(c.changes, words) }

func (c *trial) get(name string) string { return harness.Delivery{Headers: c.headers}.Get(name) }

// rng generates the random parts of trials.
type rng struct{ *rand.Rand }

func (r rng) oneIn(n int) bool { return r.IntN(n) == 0 }

func pick[T any](r rng, of ...T) T { return of[r.IntN(len(of))] }

// text returns at most `most` characters of an alphabet.
func (r rng) text(most int, alphabet string) string {
	runes := []rune(alphabet)
	var b strings.Builder
	for range r.IntN(most + 1) {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return b.String()
}

const (
	letters = "abcXYZ019"
	visible = "abcXYZ019-_.~!$&'()*+,;=:@/?|^`\"<>[]{}\\%#"
	letter2 = "éß€😀ﬁ日"
)

// draft holds the values that a sender signs, for any provider.
type draft struct {
	id, time, url string
	body          string
	key           string // the key of an HMAC, or the private key in base64 or hex
	algorithm     string // Twilio's, if it is announced
}

// trialOf builds a delivery as its sender would, changes up to three of the
// values to sign, signs it, and changes up to two things on the way.
func (s specimen) trialOf(r rng, now time.Time) trial {
	c := trial{specimen: s, secret: s.secret, now: now}
	d := draft{id: "msg_" + r.text(20, letters), time: harness.Unix(now), url: "https://example.com/hook", key: s.hmacKey()}
	c.secret, d.key = s.trialSecret(r, &c)
	d.body = s.trialBody(r, now)
	if s.located {
		d.url = r.url(&c)
	}
	received := d.url
	if s.id != "" && r.oneIn(3) {
		d.id = r.text(140, letters+"-_.:/+=!~ é")
		c.changed("id")
	}
	if s.timed && r.oneIn(8) {
		d.time = r.time(now)
		c.changed("time before signing")
	}
	if s.located && !r.oneIn(4) {
		received = r.respelled(d.url)
		c.changed("URL spelled otherwise")
	}
	if s.name == "twilio" {
		received = withPath(received) // as a server receives it
		s.twilioTrial(r, &c, &d, &received)
	}
	c.signer, c.sent = d.key, d
	c.headers = s.signed(d)
	c.body, c.url = []byte(d.body), received
	for r.oneIn(2) && len(c.changes) < 4 {
		r.change(&c)
	}
	return c
}

func (s specimen) hmacKey() string {
	if s.key != "" {
		return s.key
	}
	if text, ok := strings.CutPrefix(s.secret, "whsec_"); ok && s.id != "" {
		key, _ := base64.StdEncoding.DecodeString(text)
		return string(key)
	}
	return s.secret
}

// trialSecret returns a secret in one of the forms that users have, and the key
// that it stands for.
func (s specimen) trialSecret(r rng, c *trial) (secret, key string) {
	key = s.hmacKey()
	if !r.oneIn(4) {
		return s.secret, key
	}
	if s.id == "" || s.key != "" {
		switch r.IntN(6) {
		case 0:
			c.changed("blank around the secret")
			return pick(r, s.secret+"\n", " "+s.secret, s.secret+"\t", "\ufeff"+s.secret), key
		case 1:
			if s.key != "" {
				c.changed("secret in another form")
				return s.otherPublic(r), key
			}
		case 2:
			if s.key == "" {
				c.changed("secret of any text")
				secret = "k" + r.text(60, visible+letter2)
				return secret, secret
			}
		}
		return s.secret, key
	}
	c.changed("key of another length or form")
	raw := make([]byte, r.IntN(140))
	for i := range raw {
		raw[i] = byte(r.Uint32())
	}
	form := pick(r, base64.StdEncoding, base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding)
	secret = pick(r, "whsec_", "whsec_", "whsec_", "", "v1,whsec_", "WHSEC_") + form.EncodeToString(raw)
	return pick(r, secret, secret, secret, secret+"\n", " "+secret), string(raw)
}

// otherPublic returns the public key in another form that tools write.
func (s specimen) otherPublic(r rng) string {
	if s.name == "discord" {
		return pick(r, strings.ToUpper(s.secret), "0x"+s.secret)
	}
	folded := s.secret[:64] + "\n" + s.secret[64:]
	return pick(r, folded, "-----BEGIN PUBLIC KEY-----\n"+folded+"\n-----END PUBLIC KEY-----\n", strings.TrimRight(s.secret, "="))
}

// trialBody returns a JSON object, in any spelling unless a library writes the
// JSON again.
func (s specimen) trialBody(r rng, now time.Time) string {
	at := now.UnixMilli()
	if s.name == "linear" && r.oneIn(8) {
		at += int64(r.IntN(1200)-600) * 1000
	}
	object := fmt.Sprintf(`"event":"order.created","webhookTimestamp":%d,"data":%s`, at, r.json(2))
	if s.name == "zoom" {
		return "{" + object + "}"
	}
	open, end := pick(r, "{", "{ ", "{\r\n\t"), pick(r, "}", " }", "}\n", "}\r\n")
	return open + object + end
}

// json returns a value as JSON.stringify writes it.
func (r rng) json(deep int) string {
	switch n := r.IntN(6); {
	case n == 0 && deep > 0:
		return "[" + r.json(deep-1) + "," + r.json(deep-1) + "]"
	case n < 3 && deep > 0:
		return `{"a` + r.text(3, letters) + `":` + r.json(deep-1) + "}"
	case n == 3:
		return strconv.Itoa(r.IntN(1 << 30))
	case n == 4:
		return pick(r, "true", "false", "null")
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(r.text(12, visible+letter2))
	return strings.TrimSuffix(b.String(), "\n")
}

// time returns a send time near now, or one that is written in another way.
func (r rng) time(now time.Time) string {
	t := harness.Unix(now)
	return pick(r,
		harness.Unix(now.Add(-200*time.Second)), harness.Unix(now.Add(-400*time.Second)), harness.Unix(now.Add(200*time.Second)), harness.Unix(now.Add(400*time.Second)),
		harness.Unix(now.Add(-time.Hour)), harness.Unix(now.Add(time.Hour)),
		t+"000", "0"+t, "+"+t, t+".0", t+"abc", "-"+t, "", "0", "1e9", " "+t, t+" ", "0x1", now.UTC().Format(time.RFC3339), strings.Repeat("9", 30))
}

// signed returns the headers that the provider's documentation describes.
func (s specimen) signed(d draft) []harness.Header {
	mac := func(h func() hash.Hash, text string) []byte {
		m := hmac.New(h, []byte(d.key))
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	hexed := func(text string) string { return hex.EncodeToString(mac(sha256.New, text)) }
	base := func(text string) string { return base64.StdEncoding.EncodeToString(mac(sha256.New, text)) }
	switch s.name {
	case "standard", "svix", "gitlab":
		prefix := strings.TrimSuffix(s.id, "id")
		return []harness.Header{{Name: prefix + "id", Value: d.id}, {Name: prefix + "timestamp", Value: d.time}, {Name: prefix + "signature", Value: "v1," + base(d.id+"."+d.time+"."+d.body)}}
	case "github", "meta":
		return []harness.Header{{Name: s.signature, Value: "sha256=" + hexed(d.body)}}
	case "stripe":
		return []harness.Header{{Name: s.signature, Value: "t=" + d.time + ",v1=" + hexed(d.time+"."+d.body)}}
	case "paddle":
		return []harness.Header{{Name: s.signature, Value: "ts=" + d.time + ";h1=" + hexed(d.time+":"+d.body)}}
	case "slack":
		return []harness.Header{{Name: "X-Slack-Request-Timestamp", Value: d.time}, {Name: s.signature, Value: "v0=" + hexed("v0:"+d.time+":"+d.body)}}
	case "zoom":
		return []harness.Header{{Name: "x-zm-request-timestamp", Value: d.time}, {Name: s.signature, Value: "v0=" + hexed("v0:"+d.time+":"+d.body)}}
	case "shopify":
		return append([]harness.Header{{Name: s.signature, Value: base(d.body)}}, s.unsigned...)
	case "square":
		return []harness.Header{{Name: s.signature, Value: base(d.url + d.body)}}
	case "linear":
		return []harness.Header{{Name: s.signature, Value: hexed(d.body)}}
	case "twilio":
		text := d.url
		if fields, ok := formFields(d.body); ok && !strings.Contains(d.url, "bodySHA256=") {
			text += fields
		}
		if d.algorithm != "" {
			return []harness.Header{{Name: s.signature, Value: base(text)}, {Name: "X-Twilio-Webhooks-Signature-Settings", Value: "key=webhooks_sharedkey_1,algorithm=" + d.algorithm}}
		}
		return []harness.Header{{Name: s.signature, Value: base64.StdEncoding.EncodeToString(mac(sha1.New, text))}}
	case "discord":
		seed, _ := hex.DecodeString(d.key)
		signature := ed25519.Sign(ed25519.NewKeyFromSeed(seed), []byte(d.time+d.body))
		return []harness.Header{{Name: "X-Signature-Timestamp", Value: d.time}, {Name: s.signature, Value: hex.EncodeToString(signature)}}
	case "sendgrid":
		der, _ := base64.StdEncoding.DecodeString(d.key)
		key, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			panic(err)
		}
		digest := sha256.Sum256([]byte(d.time + d.body))
		signature, err := key.(*ecdsa.PrivateKey).Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			panic(err)
		}
		return []harness.Header{{Name: "X-Twilio-Email-Event-Webhook-Timestamp", Value: d.time}, {Name: s.signature, Value: base64.StdEncoding.EncodeToString(signature)}}
	}
	panic("nobody says how " + s.name + " signs")
}

// change changes one thing of a delivery on the way.
func (r rng) change(c *trial) {
	switch n := r.IntN(10); {
	case n == 0:
		c.changed("body")
		c.body = []byte(r.changedBody(string(c.body)))
	case n == 1 && c.located:
		c.changed("URL on the way")
		if c.url = r.respelled(c.url); c.name == "twilio" {
			c.url = withPath(c.url)
		}
	default:
		r.changeHeader(c)
	}
}

func (r rng) changedBody(body string) string {
	at := r.IntN(len(body) + 1)
	for !utf8.ValidString(body[:at]) {
		at--
	}
	return pick(r, body+"\n", body+" ", " "+body, "\ufeff"+body, body[:at]+" "+body[at:], body[:at], "", body+"\x00", body+"\xff",
		strings.ReplaceAll(body, "\r\n", "\n"), strings.Replace(body, "é", "\xe9", 1))
}

// changeHeader changes a signed header or its value.
func (r rng) changeHeader(c *trial) {
	if len(c.headers) == 0 {
		return
	}
	at := r.IntN(len(c.headers))
	h := c.headers[at]
	switch r.IntN(14) {
	case 0:
		c.changed("no " + h.Name)
		c.headers = append(append([]harness.Header{}, c.headers[:at]...), c.headers[at+1:]...)
		return
	case 1:
		c.changed(h.Name + " twice")
		c.headers = append(c.headers, harness.Header{Name: h.Name, Value: pick(r, h.Value, r.text(9, letters))})
		return
	case 2:
		c.changed("name in another case")
		c.headers[at].Name = pick(r, strings.ToUpper(h.Name), strings.ToLower(h.Name))
		return
	}
	c.changed(h.Name)
	c.headers[at].Value = strings.Trim(r.changedValue(h.Value), " \t") // as HTTP does
}

func (r rng) changedValue(value string) string {
	separator := pick(r, ",", " ", ";", ", ")
	other := pick(r, "v1=zz", "v1,zz", "v1a,"+r.text(9, letters), "v0="+r.text(64, "0123456789abcdef"), "h1=zz", "v2,abc", "v1,", "v1=", "v1", "", "=", ",",
		r.text(8, visible), "algorithm=HMAC_SHA1", "t=1", "ts=1")
	parts := strings.Split(value, separator)
	switch r.IntN(12) {
	case 0:
		return strings.ToUpper(value)
	case 1, 2:
		return value + separator + other
	case 3, 4:
		return other + separator + value
	case 5:
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		return strings.Join(parts, separator)
	case 6:
		return value + separator + value
	case 7:
		return strings.TrimRight(value, "=")
	case 8:
		return strings.NewReplacer("+", "-", "/", "_").Replace(value)
	case 9:
		return strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(value)
	}
	if value == "" {
		return other
	}
	i := r.IntN(len(value))
	return pick(r, value[:i]+value[i+1:], value[:i]+string(pick(r, []rune(visible)...))+value[i:], value[:i]+string(pick(r, []rune(letters)...))+value[i+1:], "")
}
