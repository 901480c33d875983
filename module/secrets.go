package module

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
)

// resolveSecrets replaces the placeholders in secrets. A placeholder that is
// unknown or empty is an error: Caddy's other ways of replacing would turn it
// into an empty key, which everybody knows. Caddy's own error is not passed
// on, because it quotes the secret where that has braces in it.
func resolveSecrets(repl *caddy.Replacer, secrets []string) ([]string, error) {
	resolved := make([]string, len(secrets))
	for i, secret := range secrets {
		value, err := repl.ReplaceOrErr(secret, true, true)
		if err != nil {
			return nil, fmt.Errorf("secret %d has a placeholder that does not resolve, or resolves to nothing; set the variable or the file that it names, and write \\{ for a brace that belongs to the secret", i+1)
		}
		resolved[i] = value
	}
	return resolved, nil
}
