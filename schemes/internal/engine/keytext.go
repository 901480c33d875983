package engine

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// The forms in which a secret is written; see Definition.Key.
const (
	keyText   = "text"
	keyBase64 = "base64"
	keyHex    = "hex"
	keyWhsec  = "whsec_"
	keyWhpk   = "whpk_"
	keyPEM    = "pem"
	keySPKI   = "spki"

	keyWhsk = "whsk_" // the private half of whpk_
)

// keyForms returns the forms that an algorithm allows, the default first.
func keyForms(a Algorithm) []string {
	switch a {
	case Ed25519:
		return []string{keyHex, keyBase64, keyWhpk, keyPEM, keySPKI}
	case ECDSAP256:
		return []string{keyPEM, keySPKI}
	}
	return []string{keyText, keyBase64, keyHex, keyWhsec}
}

// keyMark returns the text that every secret of a form begins with, or nothing
// if they have none in common. It distinguishes the variants of a scheme.
func keyMark(form string) string {
	switch form {
	case keyWhsec, keyWhpk:
		return form
	case keyPEM:
		return pemMark
	}
	return ""
}

// Standard Webhooks says that a key has 24 to 64 bytes. Its libraries accept
// any size, and some senders use fewer bytes.
const minWhsec, maxWhsec = 16, 128

// parseKey reads a secret. Its errors never contain it.
func parseKey(a Algorithm, form, secret string) (Key, error) {
	if a.public() && strings.HasPrefix(Bare(secret), pemMark) {
		form = keyPEM // no other form can be mistaken for it
	}
	raw, err := rawKey(form, secret)
	if err != nil {
		return Key{}, err
	}
	if !a.public() {
		return Key{Algorithm: a, Secret: raw}, nil
	}
	key := Key{Algorithm: a}
	if form != keyPEM && form != keySPKI {
		if len(raw) != ed25519.PublicKeySize {
			return Key{}, errors.New("is not an ed25519 public key, which has 32 bytes; write the public key, and not the private one or a text around it")
		}
		key.Public = ed25519.PublicKey(raw)
		return key, nil
	}
	key.Public, err = x509.ParsePKIXPublicKey(raw)
	if err != nil || key.check() != nil {
		return Key{}, errors.New("is not the public key (SPKI) of " + a.String() + "; write the public key, whole and without a text around it")
	}
	return key, nil
}

// parsePrivateKey reads the key that signs. For an HMAC it is the secret. For
// ed25519 it is the seed, alone or followed by the public key, in the form of
// the public key (whsk_ for whpk_). In PEM and SPKI it is a PKCS 8 key.
func parsePrivateKey(a Algorithm, form, secret string) (Key, error) {
	if !a.public() {
		return parseKey(a, form, secret)
	}
	errPublic := errors.New("is not a private key of " + a.String() + ", which signing takes; the public key only verifies")
	if form == keyWhpk {
		seed, ok := strings.CutPrefix(Bare(secret), keyWhsk)
		if !ok {
			return Key{}, errors.New("is not a private key; write whsk_ and the seed in base64")
		}
		form, secret = keyBase64, seed
	}
	raw, err := rawKey(form, secret)
	if err != nil {
		return Key{}, err
	}
	key := Key{Algorithm: a}
	switch {
	case form == keyPEM || form == keySPKI:
		parsed, err := x509.ParsePKCS8PrivateKey(raw)
		signer, ok := parsed.(crypto.Signer)
		if err != nil || !ok {
			return Key{}, errPublic
		}
		key.Private = signer
	case len(raw) == ed25519.SeedSize:
		key.Private = ed25519.NewKeyFromSeed(raw)
	case len(raw) == ed25519.PrivateKeySize:
		key.Private = ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	default:
		return Key{}, errPublic
	}
	switch public := key.Private.Public().(type) {
	case ed25519.PublicKey:
		key.Public = public
	case *ecdsa.PublicKey:
		key.Public = public
	}
	if key.check() != nil {
		return Key{}, errPublic
	}
	return key, nil
}

// rawKey decodes a secret of a form to the bytes of the key.
func rawKey(form, secret string) ([]byte, error) {
	if form != keyText {
		secret = Bare(secret)
	}
	switch form {
	case keyBase64:
		return Base64Key(secret, "is not base64; write the secret in base64, with its padding")
	case keyHex:
		key, err := hex.DecodeString(secret)
		if err != nil {
			return nil, errors.New("is not hex; write the secret in hex, two digits for each byte")
		}
		return key, nil
	case keyWhsec, keyWhpk:
		text, ok := strings.CutPrefix(strings.TrimPrefix(secret, versionMark), form)
		if !ok {
			return nil, errors.New("does not begin with " + form + "; write the whole secret, with what it begins with" + textAdvice(form))
		}
		key, err := anyBase64Key(text, "is not "+form+" with base64 behind it; write the whole secret"+textAdvice(form))
		if err == nil && form == keyWhsec && (len(key) < minWhsec || len(key) > maxWhsec) {
			err = fmt.Errorf("has %d bytes in base64 after whsec_, and a key has %d to %d; write the whole secret%s", len(key), minWhsec, maxWhsec, textAdvice(form))
		}
		return key, err
	case keyPEM:
		block, rest := pem.Decode([]byte(secret))
		if block == nil || len(bytes.TrimSpace(rest)) > 0 {
			return nil, errors.New("is not one key in PEM; write it with its lines, from -----BEGIN to the end, best in a file: {file.PATH}")
		}
		return block.Bytes, nil
	case keySPKI:
		return Base64Key(strings.Join(strings.Fields(secret), ""), "is not base64; write the key's DER (SPKI) in base64, or the key in PEM")
	}
	return []byte(secret), nil
}

// pemMark is the text that a key in PEM begins with.
const pemMark = "-----BEGIN "

// versionMark is a text that some senders show before whsec_.
const versionMark = "v1,"

// Bare returns a secret without the byte order mark and the white space that
// editors and files put around it. They are not part of the key if the text is
// an encoding of its bytes.
func Bare(secret string) string { return strings.TrimSpace(strings.TrimPrefix(secret, byteOrderMark)) }

const byteOrderMark = "\ufeff"

// textAdvice says how to use a secret of which the text after whsec_ is not
// base64, as some senders have it.
func textAdvice(form string) string {
	if form != keyWhsec {
		return ""
	}
	return "; where the provider uses the text itself as the key, write a scheme_definition with key text"
}

// Base64Key decodes strict base64 with padding. The error for any other text is
// malformed.
func Base64Key(text, malformed string) ([]byte, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New(malformed)
	}
	return key, nil
}

// anyBase64Key decodes base64 in either alphabet, with or without padding.
func anyBase64Key(text, malformed string) ([]byte, error) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	if unpadded := strings.TrimRight(text, "="); unpadded == text {
		text += "==="[:(4-len(text)%4)%4]
	}
	return Base64Key(text, malformed)
}
