package inbox

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hooklatch/hooklatch/module/args"
)

// Options are the options that every store has. Stores embed them.
type Options struct {
	// When to keep a delivery. `rescue`: if the application does not answer in
	// time, or answers with a status listed in statuses. `always`: before the
	// application is asked. Default: rescue.
	Mode string `json:"mode,omitempty"`

	// With rescue, how long after the arrival of the request the application
	// must have begun its answer; at most answer_within. Default: four fifths of
	// the provider's own deadline if that is known, else 8s.
	After caddy.Duration `json:"after,omitempty"`

	// Statuses that do not count as an answer, each a code from 300 to 599 or a
	// class such as `5xx`. Default: 5xx 408 425 429.
	Statuses []string `json:"statuses,omitempty"`

	// The wait after the first failed attempt, and the longest wait; the wait
	// doubles in between. Default: 1s 5m.
	Retry *Retry `json:"retry,omitempty"`

	// How long a delivery waits before it is dead. Default: 72h.
	Keep caddy.Duration `json:"keep,omitempty"`

	// How long a dead delivery stays before it is removed. Default: 7d.
	Dead caddy.Duration `json:"dead,omitempty"`

	// The largest size of the inbox in bytes, dead deliveries included. All
	// handlers whose inbox is in the same place need the same value. Default:
	// 1GiB.
	MaxSize int64 `json:"max_size,omitempty"`

	// The number of attempts of a label that may run at once. Default: 4.
	Concurrency int `json:"concurrency,omitempty"`
}

// Retry is how long to wait between attempts.
type Retry struct {
	// The wait after the first failed attempt.
	First caddy.Duration `json:"first,omitempty"`
	// The longest wait.
	Most caddy.Duration `json:"most,omitempty"`
}

// The values of Options.Mode.
const (
	ModeRescue = "rescue"
	ModeAlways = "always"
)

// longest keeps sums of times from overflowing.
const longest = caddy.Duration(10 * 366 * 24 * time.Hour)

// Names are the options in the order of the documentation. The error for an
// unknown option lists them.
var Names = []string{"mode", "after", "statuses", "retry", "keep", "dead", "max_size", "concurrency"}

// Settings returns the options. A store that embeds them needs no method of its
// own.
func (o Options) Settings() Options { return o }

// WithDefaults returns the options with their defaults, except After, whose
// default depends on the provider.
func (o Options) WithDefaults() Options {
	setDefault(&o.Mode, ModeRescue)
	if len(o.Statuses) == 0 {
		o.Statuses = []string{"5xx", "408", "425", "429"}
	}
	if o.Retry == nil {
		o.Retry = &Retry{First: caddy.Duration(time.Second), Most: caddy.Duration(5 * time.Minute)}
	}
	setDefault(&o.Keep, caddy.Duration(72*time.Hour))
	setDefault(&o.Dead, caddy.Duration(7*24*time.Hour))
	setDefault(&o.MaxSize, 1<<30)
	setDefault(&o.Concurrency, 4)
	return o
}

func setDefault[T comparable](to *T, value T) {
	var zero T
	if *to == zero {
		*to = value
	}
}

// Check returns an error if an option is invalid. The error says what to write
// instead.
func (o Options) Check() error {
	switch {
	case o.Mode != "" && o.Mode != ModeRescue && o.Mode != ModeAlways:
		return errors.New("inbox: mode: this is not known; write rescue or always")
	case o.Mode == ModeAlways && o.After != 0:
		return errors.New("inbox: after is for mode rescue; with mode always, remove it")
	case o.MaxSize < 0:
		return errors.New("inbox: max_size must be above zero; leave it out for the default")
	case o.Concurrency < 0:
		return errors.New("inbox: concurrency must be above zero; leave it out for the default")
	}
	for _, text := range o.Statuses {
		if !isStatus.MatchString(text) {
			return errors.New("inbox: statuses: " + statusHint)
		}
	}
	for name, d := range map[string]caddy.Duration{"after": o.After, "keep": o.Keep, "dead": o.Dead} {
		if err := checkDuration(name, d); err != nil {
			return err
		}
	}
	if o.Retry != nil {
		return o.Retry.check()
	}
	return nil
}

func (r Retry) check() error {
	switch {
	case r.First <= 0 || r.Most <= 0:
		return errors.New("inbox: retry: both durations must be above zero; write retry <first> <most>")
	case r.First > r.Most:
		return errors.New("inbox: retry: the first wait is longer than the longest one; write retry <first> <most>, such as retry 1s 5m")
	}
	return checkDuration("retry", r.Most)
}

func checkDuration(name string, d caddy.Duration) error {
	switch {
	case d < 0:
		return fmt.Errorf("inbox: %s must be above zero; leave it out for the default", name)
	case d > longest:
		return fmt.Errorf("inbox: %s is longer than ten years; write a shorter one", name)
	}
	return nil
}

// isStatus matches a code or a class from 300 to 599.
var isStatus = regexp.MustCompile(`^[345](xx|\d\d)$`)

const statusHint = "each is a code from 300 to 599, or one of 3xx, 4xx and 5xx"

// IsAnswer reports whether a status counts as the application's answer.
func (o Options) IsAnswer(status int) bool {
	code := strconv.Itoa(status)
	for _, text := range o.Statuses {
		if text == code || text == code[:1]+"xx" {
			return false
		}
	}
	return true
}

// UnmarshalOption reads an option that every store has, and reports whether it
// knows the option. The dispenser must be at the option's name.
func (o *Options) UnmarshalOption(d *caddyfile.Dispenser) (known bool, err error) {
	switch d.Val() {
	case "mode":
		o.Mode, err = args.OneOf(d, ModeRescue, ModeAlways)
	case "after":
		o.After, err = args.Duration(d)
	case "statuses":
		o.Statuses, err = readStatuses(d)
	case "retry":
		o.Retry, err = readRetry(d)
	case "keep":
		o.Keep, err = args.Duration(d)
	case "dead":
		o.Dead, err = args.Duration(d)
	case "max_size":
		o.MaxSize, err = args.Size(d)
	case "concurrency":
		o.Concurrency, err = args.Count(d)
	default:
		return false, nil
	}
	return true, err
}

func readStatuses(d *caddyfile.Dispenser) ([]string, error) {
	statuses, err := args.Some(d, "<code or class...>")
	if err != nil {
		return nil, err
	}
	for _, text := range statuses {
		if !isStatus.MatchString(text) {
			return nil, d.Err("statuses: " + statusHint)
		}
	}
	return statuses, nil
}

func readRetry(d *caddyfile.Dispenser) (*Retry, error) {
	texts, err := args.Some(d, "<first> <most>")
	if err != nil {
		return nil, err
	}
	if len(texts) != 2 {
		return nil, d.Err("retry: write two durations, <first> and <most>")
	}
	r := &Retry{}
	if r.First, err = args.ParseDuration(d, "retry", texts[0]); err != nil {
		return nil, err
	}
	if r.Most, err = args.ParseDuration(d, "retry", texts[1]); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, d.Err(err.Error())
	}
	return r, nil
}
