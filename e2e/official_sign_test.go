package e2e

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// outgoing is a delivery to be signed.
type outgoing struct {
	key  string
	body []byte
	at   time.Time
	url  string
	id   string
}

func base64MAC(secret string, parts ...string) string {
	return base64.StdEncoding.EncodeToString(harness.MAC([]byte(secret), parts...))
}

func signSlack(o outgoing) []harness.Header {
	t := harness.Unix(o.at)
	return []harness.Header{
		{Name: "X-Slack-Request-Timestamp", Value: t},
		{Name: "X-Slack-Signature", Value: "v0=" + harness.HexMAC(o.key, "v0:", t, ":", string(o.body))},
	}
}

func signZoom(o outgoing) []harness.Header {
	t := harness.Unix(o.at)
	return []harness.Header{
		{Name: "x-zm-request-timestamp", Value: t},
		{Name: "x-zm-signature", Value: "v0=" + harness.HexMAC(o.key, "v0:", t, ":", string(o.body))},
	}
}

func signShopify(o outgoing) []harness.Header {
	return []harness.Header{{Name: "X-Shopify-Hmac-SHA256", Value: base64MAC(o.key, string(o.body))}}
}

func signSquare(o outgoing) []harness.Header {
	return []harness.Header{{Name: "x-square-hmacsha256-signature", Value: base64MAC(o.key, o.url, string(o.body))}}
}

func signPaddle(o outgoing) []harness.Header {
	t := harness.Unix(o.at)
	return []harness.Header{{Name: "Paddle-Signature", Value: "ts=" + t + ";h1=" + harness.HexMAC(o.key, t, ":", string(o.body))}}
}

func signLinear(o outgoing) []harness.Header {
	return []harness.Header{{Name: "Linear-Signature", Value: harness.HexMAC(o.key, string(o.body))}}
}

// ed25519Pair returns a new public key, as Discord shows it, and the seed of
// its private key.
func ed25519Pair() (public, private string) {
	p, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(p), hex.EncodeToString(key.Seed())
}

func signDiscord(o outgoing) []harness.Header {
	seed, err := hex.DecodeString(o.key)
	if err != nil {
		panic(err)
	}
	t := harness.Unix(o.at)
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(seed), append([]byte(t), o.body...))
	return []harness.Header{{Name: "X-Signature-Timestamp", Value: t}, {Name: "X-Signature-Ed25519", Value: hex.EncodeToString(signature)}}
}

// ecdsaPair returns a new public key, as SendGrid shows it, and its private
// key.
func ecdsaPair() (public, private string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(spki), base64.StdEncoding.EncodeToString(pkcs8)
}

func signSendGrid(o outgoing) []harness.Header {
	der, err := base64.StdEncoding.DecodeString(o.key)
	if err != nil {
		panic(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		panic(err)
	}
	t := harness.Unix(o.at)
	digest := sha256.Sum256(append([]byte(t), o.body...))
	signature, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		panic(err)
	}
	return []harness.Header{
		{Name: "X-Twilio-Email-Event-Webhook-Timestamp", Value: t},
		{Name: "X-Twilio-Email-Event-Webhook-Signature", Value: base64.StdEncoding.EncodeToString(signature)},
	}
}
