package harness

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The secrets of the tests are canaries too: the test fails if the log contains
// them.
const (
	EasytoolsSecret = "etsk_e2e-canary-Zq7mWv2x"
	CraneOpsSecret  = "whsec_e2e-canary-8fKp31Ld"
	CryptrSecret    = "e2eCanary0Zrk1pQnc10hh5ZDecqQfMDKy0S2FfdWU7ZJQ40Mh2TgweRcXM5Um3b"
	mceasySecret    = "ZTJlLWNhbmFyeS1tY2Vhc3ktOWI3ZTJjNGYx"
)

// SecretVariable returns the name of the variable with a scheme's secret.
func SecretVariable(scheme string) string { return strings.ToUpper(scheme) + "_SECRET" }

// SecretOf returns the secret that tests use for a provider.
func SecretOf(provider string) string {
	return map[string]string{
		"easytools": EasytoolsSecret, "craneops": CraneOpsSecret,
		"cryptr": CryptrSecret, "mceasy": mceasySecret,
	}[provider]
}

// Secrets returns the environment variables that Hook uses.
func Secrets() []string {
	var env []string
	for _, provider := range []string{"easytools", "craneops", "cryptr", "mceasy"} {
		env = append(env, SecretVariable(provider)+"="+SecretOf(provider))
	}
	return env
}

// MAC returns the HMAC-SHA256 of the concatenated parts.
func MAC(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// HexMAC returns the MAC in hex.
func HexMAC(secret string, parts ...string) string {
	return hex.EncodeToString(MAC([]byte(secret), parts...))
}

// CraneOps returns a delivery that CraneOps would send.
func CraneOps(body string) Delivery { return CraneOpsWith(CraneOpsSecret, body) }

// CraneOpsWith signs such a delivery with another secret.
func CraneOpsWith(secret, body string) Delivery {
	return Delivery{Method: http.MethodPost, Path: "/craneops", Body: []byte(body), Headers: []Header{
		{"Content-Type", "application/json"},
		{"X-CraneOps-Event", "booking.created"},
		{"X-CraneOps-Signature", HexMAC(secret, body)},
	}}
}

// Easytools returns a delivery that Easytools would send.
func Easytools(body string) Delivery {
	return Delivery{Method: http.MethodPost, Path: "/easytools", Body: []byte(body), Headers: []Header{
		{"Content-Type", "application/json"},
		{"X-Webhook-Signature", HexMAC(EasytoolsSecret, body)},
	}}
}

// Cryptr returns a delivery that Cryptr would send at a time.
func Cryptr(body string, at time.Time) Delivery {
	t := Unix(at)
	return Delivery{Method: http.MethodPost, Path: "/cryptr", Body: []byte(body), Headers: []Header{
		{"Content-Type", "application/json; charset=UTF-8"},
		{"Cryptr-Signature", "t=" + t + ",v1=sha256." + HexMAC(CryptrSecret, t, ".", body)},
	}}
}

// McEasy returns a delivery that McEasy would send at a time.
func McEasy(body string, at time.Time, event, occurrence string) Delivery {
	key, err := base64.StdEncoding.DecodeString(mceasySecret)
	if err != nil {
		panic(err)
	}
	t := strconv.FormatInt(at.UnixMilli(), 10)
	signature := "v1.0:" + base64.StdEncoding.EncodeToString(MAC(key, t, "|>", event, "|>", body))
	return Delivery{Method: http.MethodPost, Path: "/mceasy", Body: []byte(body), Headers: []Header{
		{"User-Agent", "McEasyWebhookService/1.4.0"},
		{"Content-Type", "application/json"},
		{"X-McEasyWebhook-Timestamp", t},
		{"X-McEasyWebhook-Event", event},
		{"X-McEasyWebhook-Occurrence-ID", occurrence},
		{"X-McEasyWebhook-Signature", signature},
	}}
}

// Provider is one of the four providers whose deliveries tests sign.
type Provider struct {
	Name      string
	Signature string
	Signed    []string // the other signed headers
	Deliver   func(body string) Delivery
}

// Providers returns the four providers whose deliveries tests sign.
func Providers() []Provider {
	return []Provider{
		{"easytools", "X-Webhook-Signature", nil, Easytools},
		{"craneops", "X-CraneOps-Signature", nil, CraneOps},
		{"cryptr", "Cryptr-Signature", nil, func(body string) Delivery { return Cryptr(body, time.Now()) }},
		{
			"mceasy", "X-McEasyWebhook-Signature",
			[]string{"X-McEasyWebhook-Timestamp", "X-McEasyWebhook-Event"},
			func(body string) Delivery { return McEasy(body, time.Now(), "6", "48213") },
		},
	}
}

// Unix returns a time in Unix seconds, as text.
func Unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
