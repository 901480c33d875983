package inspector

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

var functions = template.FuncMap{
	"visible":   visible,
	"plainly":   plainly,
	"size":      size,
	"ms":        milliseconds,
	"ago":       ago,
	"clock":     func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"day":       func(t time.Time) string { return t.UTC().Format("2006-01-02") },
	"stamp":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 UTC") },
	"iso":       func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") },
	"thousands": thousands,
	"words":     outcome.words,
	"seconds":   seconds,
	"plural":    plural,
}

// piece is a part of a text: visible text, or one character that would be
// invisible.
type piece struct {
	Text string
	Name string // of the invisible character; empty for visible text
}

// visible splits a text into visible and invisible pieces. A text from a sender
// must not look like another text. So control characters, characters that
// change the direction of writing and characters without width are shown as
// escapes.
func visible(s string) []piece {
	var pieces []piece
	plain := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if strconv.IsPrint(r) && (r != utf8.RuneError || n > 1) {
			i += n
			continue
		}
		if plain < i {
			pieces = append(pieces, piece{Text: s[plain:i]})
		}
		pieces = append(pieces, escaped(s[i:i+n], r, n))
		i += n
		plain = i
	}
	if plain < len(s) {
		pieces = append(pieces, piece{Text: s[plain:]})
	}
	return pieces
}

// plainly does the same as visible, for places without markup.
func plainly(s string) string {
	var out strings.Builder
	for _, p := range visible(s) {
		out.WriteString(p.Text)
	}
	return out.String()
}

func escaped(s string, r rune, n int) piece {
	quoted := strconv.Quote(s)
	p := piece{Text: quoted[1 : len(quoted)-1], Name: fmt.Sprintf("U+%04X", r)}
	if r == utf8.RuneError && n == 1 {
		p.Name = "a byte that is not UTF-8"
	}
	return p
}

// spaces splits off the spaces at the end of a line, and returns how many there
// are.
func spaces(line string) (rest string, trailing int) {
	rest = strings.TrimRight(line, " ")
	return rest, len(line) - len(rest)
}

// sentence turns a text of the gateway into a sentence.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?…") {
		s += "."
	}
	return s
}

func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

func milliseconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d >= 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
}

func seconds(s int64) string { return ago(time.Duration(s) * time.Second) }

// ago returns a duration in its largest unit.
func ago(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Minute:
		return plural(int(d/time.Second), "second")
	case d < time.Hour:
		return plural(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return plural(int(d/time.Hour), "hour")
	}
	return plural(int(d/(24*time.Hour)), "day")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if stem, ok := strings.CutSuffix(word, "ry"); ok {
		return thousands(n) + " " + stem + "ries"
	}
	return thousands(n) + " " + word + "s"
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
