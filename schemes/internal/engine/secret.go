package engine

import (
	"errors"
	"fmt"
)

// SecretError is a secret that a scheme cannot use. It never contains the
// secret.
type SecretError struct {
	// Position is the secret's position in the configuration; the first is 1.
	Position int
	Err      error
}

// Error returns the position and the cause.
func (e *SecretError) Error() string { return fmt.Sprintf("secret %d: %v", e.Position, e.Err) }

// Unwrap returns the cause.
func (e *SecretError) Unwrap() error { return e.Err }

// errEmptySecret rejects a key that everyone knows.
var errEmptySecret = errors.New("is empty; anybody can sign with an empty key")

// TextKey uses the text of the secret as the key, undecoded.
func TextKey(secret string) ([]Key, error) {
	return []Key{{Secret: []byte(secret)}}, nil
}
