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
)

// outgoing is what is to be signed.
type outgoing struct {
	key  string
	body []byte
	at   time.Time
	url  string
	id   string
}

func base64MAC(secret string, parts ...string) string {
	return base64.StdEncoding.EncodeToString(MAC([]byte(secret), parts...))
}

func signSlack(o outgoing) []Header {
	t := Unix(o.at)
	return []Header{
		{"X-Slack-Request-Timestamp", t},
		{"X-Slack-Signature", "v0=" + HexMAC(o.key, "v0:", t, ":", string(o.body))},
	}
}

func signZoom(o outgoing) []Header {
	t := Unix(o.at)
	return []Header{
		{"x-zm-request-timestamp", t},
		{"x-zm-signature", "v0=" + HexMAC(o.key, "v0:", t, ":", string(o.body))},
	}
}

func signShopify(o outgoing) []Header {
	return []Header{{"X-Shopify-Hmac-SHA256", base64MAC(o.key, string(o.body))}}
}

func signSquare(o outgoing) []Header {
	return []Header{{"x-square-hmacsha256-signature", base64MAC(o.key, o.url, string(o.body))}}
}

func signPaddle(o outgoing) []Header {
	t := Unix(o.at)
	return []Header{{"Paddle-Signature", "ts=" + t + ";h1=" + HexMAC(o.key, t, ":", string(o.body))}}
}

func signLinear(o outgoing) []Header {
	return []Header{{"Linear-Signature", HexMAC(o.key, string(o.body))}}
}

// ed25519Pair is a new public key, as Discord shows it, and the seed of its
// private one.
func ed25519Pair() (public, private string) {
	p, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(p), hex.EncodeToString(key.Seed())
}

func signDiscord(o outgoing) []Header {
	seed, err := hex.DecodeString(o.key)
	if err != nil {
		panic(err)
	}
	t := Unix(o.at)
	signature := ed25519.Sign(ed25519.NewKeyFromSeed(seed), append([]byte(t), o.body...))
	return []Header{{"X-Signature-Timestamp", t}, {"X-Signature-Ed25519", hex.EncodeToString(signature)}}
}

// ecdsaPair is a new public key, as SendGrid shows it, and its private one.
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

func signSendGrid(o outgoing) []Header {
	der, err := base64.StdEncoding.DecodeString(o.key)
	if err != nil {
		panic(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		panic(err)
	}
	t := Unix(o.at)
	digest := sha256.Sum256(append([]byte(t), o.body...))
	signature, err := ecdsa.SignASN1(rand.Reader, key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		panic(err)
	}
	return []Header{
		{"X-Twilio-Email-Event-Webhook-Timestamp", t},
		{"X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature)},
	}
}
