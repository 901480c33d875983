package replay

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hooklatch/hooklatch/module/args"
)

// Options are the options that every store has. Stores embed them.
type Options struct {
	// How long a delivered event is remembered. Default: 24h; 7d for schemes
	// without a signed send time, since nothing else stops their replays.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// What makes two deliveries the same event: `content`, what the signature
	// covers but for the send time, so that a retry that is signed anew is
	// recognised; or `delivery`, the send time too, for providers whose
	// distinct events can have equal bodies. Default: content,
	// unless the scheme has another.
	Key string `json:"key,omitempty"`
}

// longestTTL keeps sums of times from overflowing.
const longestTTL = caddy.Duration(10 * 366 * 24 * time.Hour)

// The values of Options.Key.
const (
	KeyContent  = "content"
	KeyDelivery = "delivery"
)

// Settings returns the options. A store that embeds them needs no method of its
// own.
func (o Options) Settings() Options { return o }

// Check returns an error if an option is invalid. The error says what to write
// instead.
func (o Options) Check() error {
	if o.TTL < 0 {
		return errors.New("replay: ttl must be above zero; leave it out for the default")
	}
	if o.TTL > longestTTL {
		return errors.New("replay: ttl is longer than ten years; write a shorter one")
	}
	switch o.Key {
	case "", KeyContent, KeyDelivery:
		return nil
	}
	return errors.New("replay: key: this is not known; write content or delivery")
}

// UnmarshalOption reads an option that every store has, and reports whether it
// knows the option. The dispenser must be at the option's name.
func (o *Options) UnmarshalOption(d *caddyfile.Dispenser) (known bool, err error) {
	switch d.Val() {
	case "ttl":
		o.TTL, err = args.Duration(d)
	case "key":
		o.Key, err = args.OneOf(d, KeyContent, KeyDelivery)
	default:
		return false, nil
	}
	return true, err
}
