// Package tokens reads option values from a Caddyfile. Every error names file
// and line, as the dispenser does, and what to write instead.
package tokens

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// Block walks over the options of a block and refuses one that is given
// twice, but for those that are repeatable. The dispenser stands in front of
// the block; for each option, read is called with the dispenser on its name
// and reports whether it knows it.
func Block(d *caddyfile.Dispenser, read func(option string) (known bool, err error), repeatable ...string) error {
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if seen[option] && !slices.Contains(repeatable, option) {
			return d.Errf("%s is given twice; write it once", option)
		}
		seen[option] = true
		known, err := read(option)
		if err != nil {
			return err
		}
		if !known {
			return d.Errf("unknown option%s", Quoted(option))
		}
	}
	return nil
}

// One reads exactly one argument.
func One(d *caddyfile.Dispenser, what string) (string, error) {
	option := d.Val()
	args := d.RemainingArgs()
	if len(args) != 1 {
		return "", d.Errf("%s takes one argument: %s %s", option, option, what)
	}
	return args[0], nil
}

// Some reads one or more arguments.
func Some(d *caddyfile.Dispenser, what string) ([]string, error) {
	option := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 {
		return nil, d.Errf("%s takes one or more arguments: %s %s", option, option, what)
	}
	return args, nil
}

// None refuses arguments.
func None(d *caddyfile.Dispenser) error {
	option := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no argument, not %q", option, d.Val())
	}
	return nil
}

// Duration reads one duration above zero.
func Duration(d *caddyfile.Dispenser) (caddy.Duration, error) {
	option := d.Val()
	text, err := One(d, "<duration>")
	if err != nil {
		return 0, err
	}
	return ParseDuration(d, option, text)
}

// ParseDuration reads an argument as a duration above zero.
func ParseDuration(d *caddyfile.Dispenser, option, text string) (caddy.Duration, error) {
	duration, err := caddy.ParseDuration(text)
	if err != nil {
		return 0, d.Errf("%s: %q is not a duration; write one such as 30s, 5m or 7d", option, text)
	}
	if duration <= 0 {
		return 0, d.Errf("%s must be above zero, not %s", option, text)
	}
	return caddy.Duration(duration), nil
}

// Size reads one size above zero, in bytes.
func Size(d *caddyfile.Dispenser) (int64, error) {
	option := d.Val()
	text, err := One(d, "<size>")
	if err != nil {
		return 0, err
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size > math.MaxInt64 {
		return 0, d.Errf("%s: %q is not a size; write one such as 512KiB or 5MiB", option, text)
	}
	if size == 0 {
		return 0, d.Errf("%s must be above zero, not %s", option, text)
	}
	return int64(size), nil
}

// Count reads one whole number above zero.
func Count(d *caddyfile.Dispenser) (int, error) {
	option := d.Val()
	text, err := One(d, "<number>")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, d.Errf("%s: %q is not a whole number; write one such as 100000", option, text)
	}
	if n <= 0 {
		return 0, d.Errf("%s must be above zero, not %s", option, text)
	}
	return n, nil
}

// OneOf reads one of a few words.
func OneOf(d *caddyfile.Dispenser, words ...string) (string, error) {
	option := d.Val()
	what := strings.Join(words, " or ")
	text, err := One(d, what)
	if err != nil {
		return "", err
	}
	if !slices.Contains(words, text) {
		return "", d.Errf("%s: %q is not known; write %s", option, text, what)
	}
	return text, nil
}

// Quoted quotes a word in front of which there is a blank, if it looks like a
// name. What stands in the wrong place may be a secret, and no error may print
// one.
func Quoted(word string) string {
	const longestName = 20
	if len(word) > longestName || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return " " + strconv.Quote(word)
}

// Short writes a duration without the zeros that time.Duration leaves behind.
func Short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
