package tenants

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
)

// Random returns random secrets of all the forms that schemes take them in. No
// one can sign with them: of public keys, the private half is dropped.
func Random() ([]string, error) {
	const length = 32 // bytes
	key := make([]byte, length)
	_, _ = rand.Read(key) // it never fails
	edwards, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), nil)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(curve.Public())
	if err != nil {
		return nil, err
	}
	encode := base64.StdEncoding.EncodeToString
	return []string{
		"whsec_" + encode(key), encode(key), hex.EncodeToString(key),
		hex.EncodeToString(edwards), "whpk_" + encode(edwards), encode(edwards), encode(der),
	}, nil
}
