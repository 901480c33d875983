package module

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// FuzzHandler sends arbitrary requests to the handler. Nothing panics, the
// status is one of the documented ones, and every forwarded body is exactly
// what an independent implementation of the scheme finds signed.
func FuzzHandler(f *testing.F) {
	millis, seconds := "1767323045678", "1767323045"
	signed := func(prefix, body string) string {
		return hex.EncodeToString(macUnder([]byte(testSecret), prefix, body))
	}
	f.Add(uint8(0), signed("", body), "", "", "ev", []byte(body), int64(-1))
	f.Add(uint8(1), signed("", body), "", "", "", []byte(body), int64(len(body)))
	f.Add(uint8(2), "t="+seconds+",v1=sha256."+signed(seconds+".", body), "", "", "", []byte(body), int64(len(body)))
	f.Add(uint8(3), "v1.0:"+base64.StdEncoding.EncodeToString(mac(millis, "|>6|>", body)), millis, "6", "job", []byte(body), int64(3))
	f.Add(uint8(3), "v1.0:", millis, "6|>", "job", []byte("|>"), int64(0))

	names := []string{"craneops", "easytools", "cryptr", "mceasy"}
	handlers := map[string]*Handler{}
	for _, name := range names {
		handlers[name] = provisioned(f, name)
	}
	f.Fuzz(func(t *testing.T, which uint8, signature, at, event, unsigned string, body []byte, declared int64) {
		name := names[int(which)%len(names)]
		h := handlers[name]
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.ContentLength = max(declared, -1)
		switch name {
		case "craneops":
			r.Header["X-Craneops-Signature"] = []string{signature}
			r.Header["X-Craneops-Event"] = []string{unsigned}
		case "easytools":
			r.Header["X-Webhook-Signature"] = []string{signature}
		case "cryptr":
			r.Header["Cryptr-Signature"] = []string{signature}
		case "mceasy":
			r.Header["X-Mceasywebhook-Signature"] = []string{signature}
			r.Header["X-Mceasywebhook-Timestamp"] = []string{at}
			r.Header["X-Mceasywebhook-Event"] = []string{event}
			r.Header["X-Mceasywebhook-Occurrence-Id"] = []string{unsigned}
		}
		r.Header["Webhook-Verdict"] = []string{"forged"}

		var forwarded []byte
		calls := 0
		next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			calls++
			forwarded, _ = io.ReadAll(r.Body)
			if v := r.Header["Webhook-Verdict"]; len(v) != 1 || v[0] != "accepted" {
				t.Fatalf("verdict %q", v)
			}
			for name, values := range r.Header {
				if strings.HasPrefix(name, "Webhook-") && (len(values) != 1 || fit(values[0]) != values[0]) {
					t.Fatalf("%s: %q", name, values)
				}
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		})
		w := httptest.NewRecorder()
		err := h.ServeHTTP(w, requestOf(r), next)

		want := independently(name, signature, at, event, body)
		if (calls == 1) != want {
			t.Fatalf("%s forwarded %d times, independently authentic: %v (%v, %d)", name, calls, want, err, w.Code)
		}
		if want && string(forwarded) != string(body) {
			t.Fatalf("forwarded %q instead of %q", forwarded, body)
		}
		if status := statusOf(err); !want && statuses[reasonIn(err)] != status {
			t.Fatalf("status %d for %v", status, err)
		}
	})
}

// provisioned returns a handler without a history, so that inputs are
// independent, and with a small limit.
func provisioned(f *testing.F, scheme string) *Handler {
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		f.Fatal(err)
	}
	h := &Handler{Scheme: scheme, Secrets: []string{testSecret}, ReplayRaw: []byte(`{"store":"none"}`), Tolerance: nil, MaxBody: maxFuzzBody}
	if scheme == "cryptr" || scheme == "mceasy" {
		h.Tolerance = &Tolerance{Past: ToleranceOff}
	}
	if err := h.Provision(ctx); err != nil {
		f.Fatal(err)
	}
	h.logger = zap.NewNop()
	return h
}

const maxFuzzBody = 4096

// requestOf adds to the request what Caddy's server adds.
func requestOf(r *http.Request) *http.Request {
	ctx := context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer())
	ctx = context.WithValue(ctx, caddyhttp.VarsCtxKey, map[string]any{})
	return r.WithContext(context.WithValue(ctx, caddyhttp.ExtraLogFieldsCtxKey, new(caddyhttp.ExtraLogFields)))
}

func statusOf(err error) int {
	if he, ok := err.(caddyhttp.HandlerError); ok { //nolint:errorlint // exactly this type
		return he.StatusCode
	}
	return 0
}

func reasonIn(err error) Reason {
	if he, ok := err.(caddyhttp.HandlerError); ok { //nolint:errorlint // exactly this type
		return Reason(strings.TrimPrefix(he.Err.Error(), "verify_webhook: "))
	}
	return ""
}

var (
	digits13 = regexp.MustCompile(`^[0-9]{1,13}$`)
	digits10 = regexp.MustCompile(`^[0-9]{1,10}$`)
	mceasyRE = regexp.MustCompile(`^v1\.[0-9]{1,3}:(.*)$`)
)

// independently decides by the provider's rule alone, with the standard library
// and no code of this project.
func independently(scheme, signature, at, event string, body []byte) bool {
	if len(body) > maxFuzzBody {
		return false
	}
	sum := func(key []byte, prefix string) []byte {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(prefix))
		m.Write(body)
		return m.Sum(nil)
	}
	switch scheme {
	case "craneops", "easytools":
		return strings.ToLower(signature) == hex.EncodeToString(sum([]byte(testSecret), ""))
	case "mceasy":
		m := mceasyRE.FindStringSubmatch(signature)
		if m == nil || !digits13.MatchString(at) || !digits10.MatchString(event) {
			return false
		}
		key, _ := base64.StdEncoding.DecodeString(testSecret)
		return m[1] == base64.StdEncoding.EncodeToString(sum(key, at+"|>"+event+"|>"))
	}
	seen := map[string]string{}
	for _, element := range strings.FieldsFunc(signature, func(r rune) bool { return strings.ContainsRune(", \t", r) }) {
		name, value, ok := strings.Cut(element, "=")
		if !ok || name != "t" && name != "v1" && name != "v0" {
			continue
		}
		if _, twice := seen[name]; twice {
			return false
		}
		seen[name] = strings.TrimPrefix(value, "sha256.")
		if name == "t" {
			seen[name] = value
		}
	}
	if !digits10.MatchString(seen["t"]) || len(signature) > 4096 {
		return false
	}
	want := sum([]byte(testSecret), seen["t"]+".")
	match, wellFormed := false, true
	for _, name := range []string{"v1", "v0"} {
		text, there := seen[name]
		if !there {
			continue
		}
		raw, err := hex.DecodeString(text)
		if len(text) != 64 {
			raw, err = base64.RawURLEncoding.Strict().DecodeString(strings.TrimSuffix(text, "="))
		}
		wellFormed = wellFormed && err == nil && len(raw) == 32 && len(text) != 42
		match = match || string(raw) == string(want)
	}
	return match && wellFormed
}
