package module

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/schemes"
)

// The headers that Standard Webhooks signs with, besides the id.
const (
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// signer signs what goes to the application, as Standard Webhooks 1.0.0 has it
// for symmetric keys: HMAC-SHA256 over id, time and body with points between
// them. (github.com/standard-webhooks/standard-webhooks,
// spec/standard-webhooks.md)
type signer struct{ keys [][]byte }

// newSigner resolves the secrets of sign_upstream. Its errors never hold one.
func newSigner(secrets []string) (*signer, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	resolved, err := resolveSecrets(caddy.NewReplacer(), secrets)
	if err != nil {
		return nil, fmt.Errorf("sign_upstream: %w", err)
	}
	s := &signer{}
	for i, secret := range resolved {
		key, err := signingKey(secret)
		if err != nil {
			return nil, fmt.Errorf("sign_upstream: secret %d %w", i+1, err)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// checkSigning checks secrets as they are written; those with placeholders
// show what they are when the configuration loads.
func checkSigning(secrets []string) error {
	for i, secret := range secrets {
		err := checkSecret(secret)
		if err == nil && !strings.Contains(secret, "{") {
			_, err = signingKey(secret)
		}
		if err != nil {
			return fmt.Errorf("sign_upstream: secret %d %w", i+1, err)
		}
	}
	return nil
}

var errNoSigningKey = errors.New("is not a secret of Standard Webhooks; write whsec_ and behind it the base64 of 24 to 64 random bytes, such as `openssl rand -base64 32` makes")

// signingKey reads a secret as the scheme of Standard Webhooks does. That also
// knows public keys, which sign nothing.
func signingKey(secret string) ([]byte, error) {
	standard, _ := schemes.Get("standard")
	keys, err := standard.Keys(secret)
	if err != nil || keys[0].Algorithm != schemes.HMACSHA256 {
		return nil, errNoSigningKey
	}
	return keys[0].Secret, nil
}

// sign writes id, time and a signature for each key.
func (s *signer) sign(header http.Header, id string, at time.Time, body []byte) {
	seconds := strconv.FormatInt(at.Unix(), 10)
	head := []byte(id + "." + seconds + ".")
	signatures := make([]string, len(s.keys))
	for i, key := range s.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write(head)
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	header[headerID] = []string{id}
	header[headerTimestamp] = []string{seconds}
	header[headerSignature] = []string{strings.Join(signatures, " ")}
}
