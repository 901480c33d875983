package module

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// A secret that consists of nothing but one of these was meant as a reference.
// Taken literally, it would be a key that anyone can guess.
var (
	shellVariable    = regexp.MustCompile(`^\$[A-Za-z_][A-Za-z0-9_]*$`)
	bareVariable     = regexp.MustCompile(`^\{\$?[A-Za-z_][A-Za-z0-9_]*\}$`)
	wholePlaceholder = regexp.MustCompile(`^\{(env|file)\.[^{}]+\}$`)
)

// checkSecret rejects a text that is no secret. Its error never repeats the
// secret.
func checkSecret(secret string) error {
	switch {
	case secret == "":
		return errors.New("is empty, and anybody can sign with an empty key; write the provider's secret, such as {env.WEBHOOK_SECRET}")
	case strings.HasPrefix(secret, "env:"), shellVariable.MatchString(secret), bareVariable.MatchString(secret):
		return errors.New("looks like a variable's name and would be taken as it stands; write {env.NAME}")
	case strings.HasPrefix(secret, "file:"):
		return errors.New("looks like a file's name and would be taken as it stands; write {file.PATH}")
	}
	return nil
}

// hasMargin reports whether a secret is surrounded by characters that an editor
// or a file may have added. Caddy itself removes one line end from a file.
func hasMargin(secret string) bool {
	return strings.TrimSpace(strings.TrimPrefix(secret, "\ufeff")) != secret
}

// resolveSecrets replaces the placeholders in secrets. A placeholder that is
// unknown or empty is an error: otherwise Caddy would turn it into an empty
// key, which everyone knows. Caddy's own error is not passed on, because it
// quotes a secret that contains braces.
func resolveSecrets(repl *caddy.Replacer, secrets []string) ([]string, error) {
	resolved := make([]string, len(secrets))
	for i, secret := range secrets {
		value, err := repl.ReplaceOrErr(secret, true, true)
		switch {
		case err == nil:
			resolved[i] = value
		case wholePlaceholder.MatchString(secret):
			return nil, fmt.Errorf("secret %d: %s is not there or empty; set the variable, or write the file, that it names", i+1, secret)
		default:
			return nil, fmt.Errorf("secret %d has a placeholder that is not known, or resolves to nothing; set the variable or write the file that it names; for a brace that belongs to the secret write \\{", i+1)
		}
	}
	return resolved, nil
}
