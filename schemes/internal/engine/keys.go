package engine

import (
	"errors"
	"strings"
)

// keys is Scheme.Keys of a definition. The beginning of a secret shows which
// variant it is for.
func (c *defined) keys(secret string) ([]Key, error) {
	at, err := c.kindOfSecret(secret, keyMark)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(c.kinds[at].algorithm, c.kinds[at].key, secret)
	key.Variant = at
	return []Key{key}, err
}

// signingKey is Scheme.SigningKey of a definition.
func (c *defined) signingKey(secret string) (Key, error) {
	at, err := c.kindOfSecret(secret, func(form string) string {
		if form == keyWhpk && strings.HasPrefix(Bare(secret), keyWhsk) {
			return keyWhsk
		}
		return keyMark(form)
	})
	if err != nil {
		return Key{}, err
	}
	key, err := parsePrivateKey(c.kinds[at].algorithm, c.kinds[at].key, secret)
	key.Variant = at
	return key, err
}

// kindOfSecret returns the position of the kind of signatures that a secret is
// for.
func (c *defined) kindOfSecret(secret string, mark func(form string) string) (int, error) {
	if len(c.kinds) == 1 {
		return 0, nil
	}
	var marks []string
	text := strings.TrimPrefix(Bare(secret), versionMark)
	for i := range c.kinds {
		m := mark(c.kinds[i].key)
		if strings.HasPrefix(text, m) {
			return i, nil
		}
		marks = append(marks, m)
	}
	return 0, errors.New("begins with none of " + strings.Join(marks, ", ") + "; write the whole secret, with what it begins with" + textAdvice(marks[0]))
}
