package e2e

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

// The secrets of the tests are canaries too: start looks for them in the log.
const (
	easytoolsSecret = "etsk_e2e-canary-Zq7mWv2x"
	craneopsSecret  = "whsec_e2e-canary-8fKp31Ld"
	cryptrSecret    = "e2eCanary0Zrk1pQnc10hh5ZDecqQfMDKy0S2FfdWU7ZJQ40Mh2TgweRcXM5Um3b"
	mceasySecret    = "ZTJlLWNhbmFyeS1tY2Vhc3ktOWI3ZTJjNGYx"
)

func secretVariable(scheme string) string { return strings.ToUpper(scheme) + "_SECRET" }

func secretOf(provider string) string {
	return map[string]string{
		"easytools": easytoolsSecret, "craneops": craneopsSecret,
		"cryptr": cryptrSecret, "mceasy": mceasySecret,
	}[provider]
}

// secrets are the environment that hook relies on.
func secrets() []string {
	var env []string
	for _, provider := range []string{"easytools", "craneops", "cryptr", "mceasy"} {
		env = append(env, secretVariable(provider)+"="+secretOf(provider))
	}
	return env
}

func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

func hexMAC(secret string, parts ...string) string {
	return hex.EncodeToString(mac([]byte(secret), parts...))
}

func craneops(body string) delivery {
	return delivery{method: http.MethodPost, path: "/craneops", body: []byte(body), headers: []header{
		{"Content-Type", "application/json"},
		{"X-CraneOps-Event", "booking.created"},
		{"X-CraneOps-Signature", hexMAC(craneopsSecret, body)},
	}}
}

func easytools(body string) delivery {
	return delivery{method: http.MethodPost, path: "/easytools", body: []byte(body), headers: []header{
		{"Content-Type", "application/json"},
		{"X-Webhook-Signature", hexMAC(easytoolsSecret, body)},
	}}
}

func cryptr(body string, at time.Time) delivery {
	t := unix(at)
	return delivery{method: http.MethodPost, path: "/cryptr", body: []byte(body), headers: []header{
		{"Content-Type", "application/json; charset=UTF-8"},
		{"Cryptr-Signature", "t=" + t + ",v1=sha256." + hexMAC(cryptrSecret, t, ".", body)},
	}}
}

func mceasy(body string, at time.Time, event, occurrence string) delivery {
	key, err := base64.StdEncoding.DecodeString(mceasySecret)
	if err != nil {
		panic(err)
	}
	t := strconv.FormatInt(at.UnixMilli(), 10)
	signature := "v1.0:" + base64.StdEncoding.EncodeToString(mac(key, t, "|>", event, "|>", body))
	return delivery{method: http.MethodPost, path: "/mceasy", body: []byte(body), headers: []header{
		{"User-Agent", "McEasyWebhookService/1.4.0"},
		{"Content-Type", "application/json"},
		{"X-McEasyWebhook-Timestamp", t},
		{"X-McEasyWebhook-Event", event},
		{"X-McEasyWebhook-Occurrence-ID", occurrence},
		{"X-McEasyWebhook-Signature", signature},
	}}
}

// provider is one of the four with what a test over all of them needs.
type provider struct {
	name      string
	signature string
	signed    []string // the other headers that take part in what is signed
	deliver   func(body string) delivery
}

func providers() []provider {
	return []provider{
		{"easytools", "X-Webhook-Signature", nil, easytools},
		{"craneops", "X-CraneOps-Signature", nil, craneops},
		{"cryptr", "Cryptr-Signature", nil, func(body string) delivery { return cryptr(body, time.Now()) }},
		{
			"mceasy", "X-McEasyWebhook-Signature",
			[]string{"X-McEasyWebhook-Timestamp", "X-McEasyWebhook-Event"},
			func(body string) delivery { return mceasy(body, time.Now(), "6", "48213") },
		},
	}
}

func unix(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }
