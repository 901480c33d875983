package engine

import (
	"errors"
	"fmt"
)

// SecretError is a secret that a scheme cannot use. It never holds the secret.
type SecretError struct {
	// Position of the secret in the configuration; the first is 1.
	Position int
	Err      error
}

// Error names the position and what is wrong.
func (e *SecretError) Error() string { return fmt.Sprintf("secret %d: %v", e.Position, e.Err) }

// Unwrap gives what is wrong.
func (e *SecretError) Unwrap() error { return e.Err }

// errEmptySecret guards against a key that everybody knows.
var errEmptySecret = errors.New("is empty; anybody can sign with an empty key")

// TextKey uses the text of the secret as the key, undecoded.
func TextKey(secret string) ([]Key, error) {
	return []Key{{Secret: []byte(secret)}}, nil
}
