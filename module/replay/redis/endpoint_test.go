package redis

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay"
)

const canary = "cAnary-p4ss"

func provisioned(s *Store) error {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	if err := s.Provision(ctx); err != nil {
		return err
	}
	return s.Validate()
}

// TestRefusedConfigurations checks that each error says what to write, and that
// none contains a part of the URL.
func TestRefusedConfigurations(t *testing.T) {
	t.Setenv("BROKEN_URL", "redis://:"+canary+"@host:port")
	t.Setenv("EMPTY_URL", "")
	for name, c := range map[string]struct {
		store Store
		says  string
	}{
		"no URL":               {Store{}, "redis needs a URL"},
		"no scheme":            {Store{URLs: []string{canary + ":6379"}}, "url 1 of redis cannot be read"},
		"other scheme":         {Store{URLs: []string{"http://:" + canary + "@host"}}, "write redis://"},
		"no host":              {Store{URLs: []string{"redis://:" + canary + "@"}}, "url 1"},
		"no port":              {Store{URLs: []string{"redis://:" + canary + "@host:port"}}, "url 1"},
		"second":               {Store{URLs: []string{"redis://host", "redis://" + canary + "%@host"}}, "url 2"},
		"password not encoded": {Store{URLs: []string{"redis://user:a/" + canary + "@host"}}, "percent-encoded"},
		"question mark":        {Store{URLs: []string{"redis://user:1?" + canary + "@host"}}, "%3F for a question mark"},
		"hash":                 {Store{URLs: []string{"redis://user:1#" + canary + "@host"}}, "percent-encoded"},
		"bad query":            {Store{URLs: []string{"redis://host?addr=%zz" + canary}}, "url 1"},
		"parameter":            {Store{URLs: []string{"redis://host?" + canary + "=1"}}, "has a parameter that is not known; write one of addr, "},
		"database":             {Store{URLs: []string{"redis://host/" + canary}}, "url 1"},
		"cluster databases":    {Store{URLs: []string{"redis://a/1", "redis://b/1"}}, "one database"},
		"passwords differ":     {Store{URLs: []string{"redis://:" + canary + "@a", "redis://b"}}, "differ in more than the host"},
		"unset placeholder":    {Store{URLs: []string{"{env.NOT_SET_ANYWHERE}"}}, "url 1 of redis has a placeholder"},
		"empty placeholder":    {Store{URLs: []string{"{env.EMPTY_URL}"}}, "url 1 of redis has a placeholder"},
		"brace in a password":  {Store{URLs: []string{"redis://:{" + canary + "}@host"}}, "url 1 of redis has a placeholder"},
		"broken in a variable": {Store{URLs: []string{"{env.BROKEN_URL}"}}, "url 1 of redis cannot be read"},
		"prefix placeholder":   {Store{URLs: []string{"redis://host"}, Prefix: "{env.NOT_SET_ANYWHERE}:"}, "prefix has a placeholder"},
		"prefix hash tag":      {Store{URLs: []string{"redis://host"}, Prefix: `\{all}:`}, "prefix has a brace"},
		"timeout":              {Store{URLs: []string{"redis://host"}, Timeout: -1}, "timeout must be 1ms or more"},
		"timeout of nothing":   {Store{URLs: []string{"redis://host"}, Lease: 5, Timeout: 1}, "timeout must be 1ms or more"},
		"lease":                {Store{URLs: []string{"redis://host"}, Lease: -1}, "lease must be above zero"},
		"lease and timeout":    {Store{URLs: []string{"redis://host"}, Lease: caddy.Duration(3 * time.Second), Timeout: caddy.Duration(time.Second)}, "at least four times"},
		"on_error":             {Store{URLs: []string{"redis://host"}, OnError: "ignore"}, "on_error: this is not known; write refuse or forward"},
	} {
		t.Run(name, func(t *testing.T) {
			err := provisioned(&c.store)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not say %q", err, c.says)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%v prints the password", err)
			}
		})
	}
}

// TestEndpoints checks how URLs are parsed.
func TestEndpoints(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://user:p%40ss@host:1/2")
	t.Setenv("REDIS_URLS", " redis://a:1  redis://b:2\n")
	for name, c := range map[string]struct {
		urls  []string
		addrs string
		check func(*endpoint) bool
	}{
		"variable": {[]string{"{env.REDIS_URL}"}, "host:1", func(t *endpoint) bool {
			return t.option.Username == "user" && t.option.Password == "p@ss" && t.option.SelectDB == 2
		}},
		"defaults": {[]string{"redis://host"}, "host:6379", func(t *endpoint) bool {
			return t.option.DisableCache && t.option.TLSConfig == nil && !t.unverified && t.option.Dialer.Timeout == leastPatience
		}},
		"cluster": {[]string{"redis://:p@a:1", "redis://:p@b:2"}, "a:1 b:2", func(t *endpoint) bool {
			return t.option.Password == "p"
		}},
		"cluster in a variable": {[]string{"{env.REDIS_URLS}"}, "a:1 b:2", func(*endpoint) bool { return true }},
		"sentinel": {[]string{"rediss://user:p@a:1?addr=b:2&master_set=main&sentinel_username=s&sentinel_password=q"}, "a:1 b:2", func(t *endpoint) bool {
			o := t.option.Sentinel
			return o.MasterSet == "main" && o.Username == "s" && o.Password == "q" && o.TLSConfig != nil
		}},
		"TLS": {[]string{"rediss://a:1"}, "a:1", func(t *endpoint) bool {
			return t.option.TLSConfig.ServerName == "" && !t.unverified
		}},
		"unverified": {[]string{"rediss://a:1?skip_verify"}, "a:1", func(t *endpoint) bool { return t.unverified }},
		"timeouts": {[]string{"redis://a:1?dial_timeout=3s&write_timeout=4s"}, "a:1", func(t *endpoint) bool {
			return t.option.Dialer.Timeout == 3*time.Second && t.option.ConnWriteTimeout == 4*time.Second
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &Store{URLs: c.urls}
			if err := provisioned(s); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.endpoint.option.InitAddress, " "); got != c.addrs || !c.check(s.endpoint) {
				t.Errorf("%s %+v", got, s.endpoint.option)
			}
		})
	}
}

func TestWeakerChoices(t *testing.T) {
	s := &Store{URLs: []string{"rediss://a?skip_verify=true"}, OnError: ErrorForward}
	if err := provisioned(s); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.WeakerChoices(), "; "); got != "on_error forward; skip_verify in the URL of redis" {
		t.Error(got)
	}
}

// TestProvisionConnectsToNothing checks that provisioning makes no connection,
// because `caddy validate` provisions too.
func TestProvisionConnectsToNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := provisioned(&Store{URLs: []string{"redis://" + l.Addr().String()}}); err != nil {
		t.Fatal(err)
	}
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := l.Accept(); err == nil {
		t.Error("it connects")
	}
}

// echo starts a server that answers every command with an error that repeats
// it, as Redis does for unknown commands. The error then contains the password.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				got := make([]byte, 4096)
				n, _ := conn.Read(got)
				said := strings.NewReplacer("\r", " ", "\n", " ").Replace(string(got[:n]))
				_, _ = conn.Write([]byte("-ERR what is " + said + "\r\n"))
			}()
		}
	}()
	return l.Addr().String()
}

// TestErrorsHideThePassword checks that the password is not printed even if a
// server repeats it.
func TestErrorsHideThePassword(t *testing.T) {
	real := serve(t, "--requirepass", "another")
	for _, addr := range []string{echo(t), "127.0.0.1:" + real.port, "127.0.0.1:" + freePort(t)} {
		for _, user := range []string{"user:" + canary, ":" + canary, canary} {
			h := opened(t, &Store{URLs: []string{"redis://" + user + "@" + addr}}, "label")
			_, _, err := h.Reserve(context.Background(), event(1))
			if err == nil || strings.Contains(err.Error(), canary) {
				t.Errorf("%s: %v", addr, err)
			}
		}
	}
}

// TestUserWithFewRights uses a user with only the rights that the documentation
// names.
func TestUserWithFewRights(t *testing.T) {
	s := newStage(serve(t))
	s.mustDo(t, "ACL", "SETUSER", "gateway", "on", ">secret", "resetkeys", "~hooklatch:*", "resetchannels", "-@all",
		"+get", "+set", "+del", "+pexpire", "+eval", "+evalsha", "+ping", "+cluster|slots", "+cluster|shards")
	s.url = "redis://gateway:secret@127.0.0.1:" + s.port
	h := s.open(t, &Store{}, "label")
	e := replay.Event{Content: [16]byte{1}, Occurrence: [16]byte{2}}
	r := mustReserve(t, h, e)
	s.url = "redis://127.0.0.1:" + s.port
	s.advance(t, defaultLease/2)
	if claimed := s.now().Add(-defaultLease / 2); !r.seen.After(claimed) {
		t.Error("not renewed")
	}
	if err := r.Release(context.Background()); err != nil {
		t.Error(err)
	}
	r = mustReserve(t, h, e)
	if err := r.Deliver(context.Background()); err != nil {
		t.Error(err)
	}
	if status, err := h.Forget(context.Background(), e.Content); err != nil || status != replay.Forgotten {
		t.Error(status, err)
	}
}
