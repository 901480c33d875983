// Package redis implements the store that gateways on several machines share:
// Redis 7 or Valkey, standalone, with Sentinel, or as a cluster.
package redis

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hooklatch/hooklatch/module/args"
	"github.com/hooklatch/hooklatch/module/replay"
)

func init() { caddy.RegisterModule(Store{}) }

// Store keeps the history in Redis (7 or later) or Valkey, where every gateway
// that has the same label, prefix and Redis shares it.
//
// While an event is being handled, it is reserved for the time of the lease,
// and the reservation is renewed until its handler is done. A gateway that dies
// blocks its events for no longer than that. A delivered event stays until its
// ttl has passed.
//
// The store connects when the configuration starts. If Redis cannot be reached
// then, the gateway still starts, logs why and keeps trying. Until there is a
// connection, on_error decides what happens to deliveries.
type Store struct {
	replay.Options

	// Where Redis is: redis://[user:password@]host[:port][/database], or
	// rediss:// for TLS. Several URLs are the nodes of a cluster. For Sentinel,
	// add master_set to the query; the Sentinels are the URL's host and addr:
	// redis://user:password@sentinel-1:26379?addr=sentinel-2:26379&master_set=main
	// (and, if the Sentinels require them, sentinel_username and
	// sentinel_password). Other parameters of the query: db, dial_timeout,
	// write_timeout, client_name, protocol, skip_verify. Placeholders are
	// resolved when the configuration loads, and may hold several URLs separated
	// by spaces. No URL is ever printed.
	URLs []string `json:"urls,omitempty"`

	// The prefix of all key names. Placeholders are resolved. Default:
	// `hooklatch:`.
	Prefix string `json:"prefix,omitempty"`

	// The longest time that a delivery waits for Redis, once before it is
	// forwarded and once more when it is recorded. Default: 250ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How long a gateway that died blocks the events that it was handling.
	// Default: 30s; at least four times the timeout.
	Lease caddy.Duration `json:"lease,omitempty"`

	// What happens to a delivery when Redis fails: `refuse` answers 503, so
	// that the provider retries; `forward` lets it through without a check for
	// replays. Default: refuse.
	OnError string `json:"on_error,omitempty"`

	endpoint *endpoint
	now      func() time.Time // replaced by tests
}

// The values of Store.OnError.
const (
	ErrorRefuse  = "refuse"
	ErrorForward = "forward"
)

const (
	defaultPrefix  = "hooklatch:"
	defaultTimeout = 250 * time.Millisecond
	defaultLease   = 30 * time.Second
)

// CaddyModule returns the Caddy module information.
func (Store) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  replay.Namespace + ".redis",
		New: func() caddy.Module { return new(Store) },
	}
}

// SharedBetweenProcesses marks the history as one that other processes use.
func (Store) SharedBetweenProcesses() {}

// Provision sets the defaults, resolves the placeholders and reads the URLs.
// It connects to nothing.
func (s *Store) Provision(caddy.Context) error {
	if s.Prefix == "" {
		s.Prefix = defaultPrefix
	}
	if s.Timeout == 0 {
		s.Timeout = caddy.Duration(defaultTimeout)
	}
	if s.Lease == 0 {
		s.Lease = caddy.Duration(defaultLease)
	}
	if s.OnError == "" {
		s.OnError = ErrorRefuse
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s.resolve(caddy.NewReplacer())
}

// resolve resolves the placeholders. It does not return Caddy's errors, because
// they may quote a password.
func (s *Store) resolve(repl *caddy.Replacer) error {
	prefix, err := repl.ReplaceOrErr(s.Prefix, true, true)
	if err != nil {
		return errors.New("replay: prefix has a placeholder that does not resolve, or resolves to nothing; set the variable that it names")
	}
	if strings.ContainsAny(prefix, "{}") {
		return errors.New("replay: prefix has a brace, and a cluster would keep all keys on one node; write it without braces")
	}
	s.Prefix = prefix
	var urls []string
	for i, text := range s.URLs {
		resolved, err := repl.ReplaceOrErr(text, true, true)
		if err != nil {
			return fmt.Errorf("replay: url %d of redis has a placeholder that does not resolve, or resolves to nothing; set the variable or the file that it names", i+1)
		}
		urls = append(urls, strings.Fields(resolved)...)
	}
	s.endpoint, err = parseEndpoint(urls, time.Duration(s.Timeout))
	return err
}

// Validate checks values that are possible in JSON but not in the Caddyfile.
func (s *Store) Validate() error {
	switch {
	case s.Timeout < caddy.Duration(time.Millisecond):
		return errors.New("replay: timeout must be 1ms or more; leave it out for the default")
	case s.Lease < 0:
		return errors.New("replay: lease must be above zero; leave it out for the default")
	case s.Lease/4 < s.Timeout:
		return errors.New("replay: lease must be at least four times the timeout, so that it can be renewed in time; write a longer lease or a shorter timeout")
	case s.OnError != ErrorRefuse && s.OnError != ErrorForward:
		return errors.New("replay: on_error: this is not known; write refuse or forward")
	}
	return nil
}

// WeakerChoices returns the options that weaken the protection.
func (s *Store) WeakerChoices() []string {
	var weaker []string
	if s.OnError == ErrorForward {
		weaker = append(weaker, "on_error forward")
	}
	if s.endpoint != nil && s.endpoint.unverified {
		weaker = append(weaker, "skip_verify in the URL of redis")
	}
	return weaker
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	replay redis <url...> {
//	    prefix   <text>
//	    timeout  <duration>
//	    lease    <duration>
//	    on_error refuse | forward
//	    ttl      <duration>
//	    key      content | delivery
//	}
func (s *Store) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	if s.URLs = d.RemainingArgs(); len(s.URLs) == 0 {
		return d.Err("replay redis takes one or more URLs: replay redis redis://host:6379")
	}
	// Placeholders are resolved when the configuration loads.
	if !strings.Contains(strings.Join(s.URLs, ""), "{") {
		if _, err := parseEndpoint(s.URLs, 0); err != nil {
			return d.WrapErr(err)
		}
	}
	return args.Block(d, func(option string) (known bool, err error) {
		switch option {
		case "prefix":
			s.Prefix, err = args.One(d, "<text>")
			if err == nil && s.Prefix == "" {
				err = d.Err("prefix is empty; write a text, or leave it out for " + defaultPrefix)
			}
		case "timeout":
			s.Timeout, err = args.Duration(d)
		case "lease":
			s.Lease, err = args.Duration(d)
		case "on_error":
			s.OnError, err = args.OneOf(d, ErrorRefuse, ErrorForward)
		default:
			known, err = s.UnmarshalOption(d)
			if err == nil && !known {
				err = args.Unknown(d, "prefix", "timeout", "lease", "on_error", "ttl", "key")
			}
			return known, err
		}
		return true, err
	})
}

// Open starts to connect and does not wait for the connection.
func (s *Store) Open(o replay.OpenOptions) (replay.History, error) {
	keys := s.Prefix + o.Label + ":"
	h := &history{
		keys:         keys,
		label:        o.Label,
		ttl:          o.TTL,
		timeout:      time.Duration(s.Timeout),
		lease:        time.Duration(s.Lease),
		forward:      s.OnError == ErrorForward,
		now:          s.now,
		logger:       o.Context.Logger(),
		failed:       o.Failed,
		conn:         s.endpoint.acquire(),
		local:        s.endpoint.acquireLocal(keys),
		reservations: map[*reservation]struct{}{},
		ended:        make(chan struct{}),
	}
	go h.keep()
	return h, nil
}

// Interface guards
var (
	_ replay.Store           = (*Store)(nil)
	_ replay.Shared          = (*Store)(nil)
	_ replay.InsecureOptions = (*Store)(nil)
	_ caddy.Provisioner      = (*Store)(nil)
	_ caddy.Validator        = (*Store)(nil)
	_ caddyfile.Unmarshaler  = (*Store)(nil)
)
