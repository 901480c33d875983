package inspector

import (
	"net/http"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// verifyCommand returns the command that verifies a delivery whose two files
// were saved. It only names the secret: the page does not know it, and it
// should not get into a shell's history either.
func verifyCommand(d *delivery) string {
	words := []string{"hooklatch", "webhook", "verify"}
	if _, known := schemes.Get(d.Scheme); known {
		words = append(words, "--scheme", d.Scheme)
	} else {
		words = append(words, "--definition", d.Scheme+".txt")
	}
	words = append(words, "--secret", "env:"+variable(d.Provider), "--headers", headersFile)
	words = append(words, "--at", d.Time.UTC().Format(time.RFC3339))
	if d.URL != "" { // headers.txt has both too, to be corrected in one place or the other
		words = append(words, "--url", d.URL)
		if d.Method != "" && d.Method != http.MethodPost {
			words = append(words, "--method", d.Method)
		}
	}
	words = append(words, bodyFile)
	for i, word := range words {
		words[i] = quoteForShell(word)
	}
	return strings.Join(words, " ")
}

// variable returns a name for the environment variable of a label's secret.
func variable(label string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, label)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name + "_SECRET"
}

// quoteForShell quotes any text as one word of sh. Between single quotes only
// the closing quote is special.
func quoteForShell(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
