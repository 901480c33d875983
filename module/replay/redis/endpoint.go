package redis

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// endpoint is the Redis that the URLs name.
type endpoint struct {
	// id is the same for the same URLs and timeout.
	id string
	// place is the same for the same database, whatever else the URLs say.
	place  string
	option rueidis.ClientOption
	// hidden are the texts that no error may print.
	hidden []string
	// unverified means that certificates are not verified.
	unverified bool
}

// parameters are the parameters that the query of a URL may have. Others are
// rejected, because they would be silently ignored.
var parameters = []string{
	"addr", "client_name", "db", "dial_timeout", "master_set", "protocol",
	"sentinel_password", "sentinel_username", "skip_verify", "write_timeout",
}

// leastPatience is the shortest time after which connecting, or a connection
// that does not respond, is given up. A delivery does not wait that long.
const leastPatience = time.Second

// parseURL parses one URL. Unlike the errors of the library, its errors contain
// no part of the URL.
func parseURL(text string, i int) (*url.URL, error) {
	bad := fmt.Errorf("replay: url %d of redis cannot be read; write redis://[user:password@]host[:port][/database], or rediss:// for TLS, with what is neither a letter nor a digit in user and password percent-encoded", i+1)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" || u.Fragment != "" {
		return nil, bad
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, bad
	}
	for name := range query {
		if !slices.Contains(parameters, name) {
			return nil, fmt.Errorf("replay: url %d of redis has a parameter that is not known; write one of %s, and %%3F for a question mark that belongs to the password", i+1, strings.Join(parameters, ", "))
		}
	}
	if _, err := rueidis.ParseURL(text); err != nil {
		return nil, bad
	}
	return u, nil
}

// parseEndpoint parses all URLs. They may differ only in the host.
func parseEndpoint(urls []string, timeout time.Duration) (*endpoint, error) {
	if len(urls) == 0 {
		return nil, errors.New("replay: redis needs a URL; write one such as redis://host:6379")
	}
	t := &endpoint{id: fmt.Sprint(timeout, " ", strings.Join(urls, " "))}
	var first url.URL
	for i, text := range urls {
		u, err := parseURL(text, i)
		if err != nil {
			return nil, err
		}
		t.hide(text, u)
		option, err := rueidis.ParseURL(text)
		if err != nil {
			return nil, err // cannot happen: parseURL has parsed it
		}
		alike := *u
		alike.Host = ""
		if i == 0 {
			first, t.option = alike, option
			t.setSentinel(u.Query())
			continue
		}
		if alike.String() != first.String() {
			return nil, errors.New("replay: the URLs of redis differ in more than the host; they are the nodes of one cluster, so write the same user, password and parameters in each")
		}
		t.option.InitAddress = append(t.option.InitAddress, option.InitAddress...)
	}
	if t.option.SelectDB != 0 && len(urls) > 1 {
		return nil, errors.New("replay: a Redis cluster has one database; leave its number out of the URLs")
	}
	t.place = fmt.Sprint(t.option.InitAddress, t.option.SelectDB, t.option.Sentinel.MasterSet)
	t.setDefaults(timeout)
	return t, nil
}

// hide collects the texts that must not be printed.
func (t *endpoint) hide(text string, u *url.URL) {
	t.hidden = append(t.hidden, text)
	password, _ := u.User.Password()
	_, encoded, _ := strings.Cut(u.User.String(), ":")
	if password == "" {
		// The password may be in the place of the user.
		password, encoded = u.User.Username(), u.User.String()
	}
	for _, secret := range []string{password, encoded, u.Query().Get("sentinel_password")} {
		if secret != "" {
			t.hidden = append(t.hidden, secret)
		}
	}
}

func (t *endpoint) setSentinel(query url.Values) {
	t.option.Sentinel.Username = query.Get("sentinel_username")
	t.option.Sentinel.Password = query.Get("sentinel_password")
	// Regular queries find what was missed on the Sentinels' channel.
	t.option.Sentinel.TopologyRefreshInterval = 5 * time.Second
}

func (t *endpoint) setDefaults(timeout time.Duration) {
	o := &t.option
	patience := max(leastPatience, 2*timeout)
	if o.Dialer.Timeout == 0 {
		o.Dialer.Timeout = patience
	}
	if o.ConnWriteTimeout == 0 {
		o.ConnWriteTimeout = patience
	}
	if o.TLSConfig != nil {
		// Each node has a certificate for its own name.
		o.TLSConfig.ServerName = ""
		t.unverified = o.TLSConfig.InsecureSkipVerify
	}
	if o.ClientName == "" {
		o.ClientName = "hooklatch"
	}
	o.Sentinel.TLSConfig = o.TLSConfig
	o.Sentinel.Dialer = o.Dialer
	o.ClusterOption.ShardsRefreshInterval = 10 * time.Second
	// Nothing is read twice, so a cache on this side is of no use.
	o.DisableCache = true
	// This package decides what may be sent again.
	o.DisableRetry = true
	// Otherwise a delivery that stops waiting would close the connection that
	// others wait on.
	o.AlwaysPipelining = true
	// Commands are short; the default is half a megabyte each.
	o.ReadBufferEachConn = 64 << 10
	o.WriteBufferEachConn = 64 << 10
}
