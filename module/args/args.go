// Package args reads the arguments of options in a Caddyfile, for the directive
// and for the stores, which parse their own blocks. Every error names the file
// and line, as the dispenser does, and says what to write instead. No error
// repeats the wrong word, because any word may be a secret in the wrong place.
package args

import (
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// Block reads the options of a block. It rejects an option that is given twice,
// unless it is repeatable. The dispenser must be at the token before the block.
// Block calls read for each option, with the dispenser at the option's name;
// read reports whether it knows the option.
func Block(d *caddyfile.Dispenser, read func(option string) (known bool, err error), repeatable ...string) error {
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		if option == "{" {
			return d.Err("a block opens here, where an option belongs; write one option a line, and braces only for an option that has a block")
		}
		if seen[option] && !slices.Contains(repeatable, option) {
			return d.Errf("%s is given twice; write it once", option)
		}
		seen[option] = true
		known, err := read(option)
		if err != nil {
			return err
		}
		if !known {
			return Unknown(d)
		}
	}
	return nil
}

// Unknown returns the error for an unknown option, at which the dispenser must
// be. The error lists the known options.
func Unknown(d *caddyfile.Dispenser, known ...string) error {
	if len(known) == 0 {
		return d.Err("unknown option; correct its name or take it out")
	}
	return d.Errf("unknown option; write one of %s", strings.Join(known, ", "))
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

// None rejects arguments.
func None(d *caddyfile.Dispenser) error {
	option := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no argument; take what stands behind it out, and write options in a block, one a line", option)
	}
	return nil
}

var label = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// IsLabel reports whether a text is the label of a provider.
func IsLabel(text string) bool { return label.MatchString(text) }

// Label reads one label of a provider.
func Label(d *caddyfile.Dispenser) (string, error) {
	option := d.Val()
	text, err := One(d, "<label>")
	if err != nil {
		return "", err
	}
	if !IsLabel(text) {
		return "", d.Errf("%s: this is not a label; write 1 to 64 of a-z, 0-9, _ and -", option)
	}
	return text, nil
}

var method = regexp.MustCompile(`^[A-Z]+(-[A-Z]+)*$`)

// IsMethod reports whether a text is the method of a delivery, in upper case as
// it is sent. CONNECT is not one: it opens a tunnel and delivers nothing.
func IsMethod(text string) bool { return method.MatchString(text) && text != http.MethodConnect }

// Methods reads one or more methods.
func Methods(d *caddyfile.Dispenser) ([]string, error) {
	option := d.Val()
	methods, err := Some(d, "<method...>")
	if err != nil {
		return nil, err
	}
	for _, text := range methods {
		if !IsMethod(text) {
			return nil, d.Errf("%s: this is not a method of a delivery; write one such as POST", option)
		}
	}
	return methods, nil
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
		return 0, d.Errf("%s: this is not a duration; write one such as 30s, 5m or 7d", option)
	}
	if duration <= 0 {
		return 0, d.Errf("%s must be above zero; write a duration such as 30s, 5m or 7d", option)
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
		return 0, d.Errf("%s: this is not a size; write one above zero, such as 512KiB or 5MiB", option)
	}
	if size == 0 {
		return 0, d.Errf("%s must be above zero; write a size such as 512KiB or 5MiB", option)
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
		return 0, d.Errf("%s: this is not a whole number; write one such as 100000", option)
	}
	if n <= 0 {
		return 0, d.Errf("%s must be above zero; write a number such as 100000", option)
	}
	return n, nil
}

// CountOrZero reads one whole number, 0 included.
func CountOrZero(d *caddyfile.Dispenser) (int, error) {
	option := d.Val()
	text, err := One(d, "<number>")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, d.Errf("%s: this is not a whole number; write one such as 1000, or 0 for none", option)
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
		return "", d.Errf("%s: this is not known; write %s", option, what)
	}
	return text, nil
}
