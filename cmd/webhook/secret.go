package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

const (
	envSecret  = "env:"
	fileSecret = "file:"

	secretUsage = "the provider's secret `K`: its text, env:NAME or file:PATH"

	maxSecretFile = 1 << 20 // as Caddy's {file.*}
)

// readSecrets resolves the secrets of the command line. Its errors are
// *schemes.SecretError.
func readSecrets(texts []string) ([]string, error) {
	secrets := make([]string, len(texts))
	for i, text := range texts {
		secret, err := readSecret(text)
		if err != nil {
			return nil, &schemes.SecretError{Position: i + 1, Err: err}
		}
		secrets[i] = secret
	}
	return secrets, nil
}

// readSecret resolves a secret. Its errors name neither the variable nor the
// file: a shell may already have replaced the name with the secret, as in
// env:$NAME.
func readSecret(text string) (string, error) {
	if name, ok := strings.CutPrefix(text, envSecret); ok {
		secret := os.Getenv(name)
		if secret == "" {
			return "", errors.New("the variable is not set, or is empty; write env:NAME with its name, without a $")
		}
		return secret, nil
	}
	if path, ok := strings.CutPrefix(text, fileSecret); ok {
		content, err := readFile(path, maxSecretFile)
		if err != nil {
			return "", fmt.Errorf("the file cannot be read: %w; write file:PATH with its path", err)
		}
		// Caddy's {file.*} does the same, so both use the same key.
		content = bytes.TrimSuffix(content, []byte("\n"))
		content = bytes.TrimSuffix(content, []byte("\r"))
		if len(content) == 0 {
			return "", errors.New("the file is empty; write the secret into it")
		}
		return string(content), nil
	}
	if strings.HasPrefix(text, "{env.") || strings.HasPrefix(text, "{file.") {
		return "", errors.New("placeholders are Caddy's; write env:NAME or file:PATH")
	}
	if text == "" {
		return "", errors.New("is empty; write --secret K, env:NAME or file:PATH")
	}
	return text, nil
}
