package tokens

import (
	"strconv"
	"strings"
)

// Quoted quotes a word, with a blank in front, if it is a known name with a
// typing error, or looks like the name of an option or a scheme: lower case,
// and short unless it has an underscore. Whatever else stands in the wrong
// place may be a secret, and no error may print one.
func Quoted(word string, known ...string) string {
	const typingErrors, shortName, longName = 2, 12, 20
	limit := shortName
	if strings.Contains(word, "_") {
		limit = longName
	}
	if word != "" && len(word) <= limit && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") == "" {
		return " " + strconv.Quote(word)
	}
	for _, name := range known {
		if len(word) > 2*typingErrors && distance(word, name) <= typingErrors {
			return " " + strconv.Quote(word)
		}
	}
	return ""
}

// distance counts the bytes to insert, delete or change that make one word of
// another (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0]++
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
