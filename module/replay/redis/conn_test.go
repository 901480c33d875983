package redis

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay"
)

// TestCloseGivesBack checks that the connection exists exactly as long as a
// history uses it.
func TestCloseGivesBack(t *testing.T) {
	s := serve(t)
	store := func() *Store { return &Store{URLs: []string{s.url}} }
	references := func() int {
		l := store()
		l.Timeout = caddy.Duration(5 * time.Second)
		if err := provisioned(l); err != nil {
			t.Fatal(err)
		}
		n, _ := conns.References(l.endpoint.id)
		return n
	}
	old, other := opened(t, store(), "label"), opened(t, store(), "other")
	if old.conn != other.conn || references() != 2 {
		t.Errorf("%d references", references())
	}
	inFlight, waiting := mustReserve(t, old, event(1)), mustReserve(t, old, event(2))
	reloaded := opened(t, store(), "label")
	for range 2 {
		if err := old.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := old.Reserve(context.Background(), event(3)); err == nil {
		t.Error("a closed history reserves")
	}
	if references() != 3 {
		t.Errorf("%d references while deliveries are in flight", references())
	}
	_ = inFlight.Deliver(context.Background())
	_ = waiting.Release(context.Background())
	expect(t, reloaded, event(1), replay.Duplicate)
	expect(t, reloaded, event(2), replay.Reserved)
	<-old.ended
	if references() != 2 {
		t.Errorf("%d references after the last delivery", references())
	}
	_ = reloaded.Close()
	_ = other.Close()
	if references() != 0 {
		t.Errorf("%d references at the end", references())
	}
	await(t, "the connections to end", func() bool { return s.info(t, "connected_clients") == 1 })
}

// TestCloseWhileConnecting checks that closing does not wait for a Redis that
// is not there.
func TestCloseWhileConnecting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and is silent
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, addr := range []string{l.Addr().String(), "127.0.0.1:" + freePort(t)} {
		h := opened(t, &Store{URLs: []string{"redis://" + addr}, Timeout: caddy.Duration(shortTimeout)}, "label")
		if _, _, err := try(t, h, event(1)); err == nil {
			t.Error("reserved")
		}
		ends(t, "close", func() {
			if err := h.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestComesLater starts Redis after the gateway.
func TestComesLater(t *testing.T) {
	s := serve(t)
	s.kill(t)
	h := opened(t, &Store{URLs: []string{s.url}}, "label")
	if _, _, err := h.Reserve(context.Background(), event(1)); err == nil {
		t.Error("reserved")
	}
	s.start(t)
	await(t, "redis", func() bool {
		r, _, err := h.Reserve(context.Background(), event(1))
		if r != nil {
			_ = r.Release(context.Background())
		}
		return err == nil
	})
}

// TestConnectionCut loses the answer to a command that Redis has executed.
func TestConnectionCut(t *testing.T) {
	s := serve(t)
	p := newProxy(t, "127.0.0.1:"+s.port)
	h := opened(t, &Store{URLs: []string{"redis://" + p.addr}}, "label")
	e := event(1)
	expect(t, h, e, replay.Reserved)
	p.cut.Store(true)
	r := mustReserve(t, h, e)
	if p.cut.Load() {
		t.Fatal("nothing was cut")
	}
	p.cut.Store(true)
	if err := r.Deliver(context.Background()); err != nil {
		t.Error(err)
	}
	p.cut.Store(true)
	expect(t, h, e, replay.Duplicate)
	r = mustReserve(t, h, event(2))
	p.cut.Store(true)
	if err := r.Release(context.Background()); err != nil {
		t.Error(err)
	}
	expect(t, h, event(2), replay.Reserved)
}

// proxy forwards everything. Once told to cut, it closes the connection instead
// of passing on the next answer.
type proxy struct {
	addr string
	cut  atomic.Bool
}

func newProxy(t *testing.T, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{addr: l.Addr().String()}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(out, in)
				out.Close()
			}()
			go func() {
				defer in.Close()
				answer := make([]byte, 4096)
				for {
					n, err := out.Read(answer)
					if err != nil || p.cut.CompareAndSwap(true, false) {
						out.Close()
						return
					}
					if _, err := in.Write(answer[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return p
}

// TestTLS checks that certificates are verified unless the operator has
// switched that off.
func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	tlsPort := freePort(t)
	serve(t, "--tls-port", tlsPort, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	h := opened(t, &Store{URLs: []string{"rediss://127.0.0.1:" + tlsPort + "?skip_verify=true"}}, "label")
	expect(t, h, event(1), replay.Reserved)
	h = opened(t, &Store{URLs: []string{"rediss://127.0.0.1:" + tlsPort}}, "label")
	if _, _, err := h.Reserve(context.Background(), event(1)); err == nil {
		t.Error("an unknown certificate is accepted")
	}
	for host, accepted := range map[string]bool{"127.0.0.1": true, "localhost": false} {
		store := &Store{URLs: []string{"rediss://" + host + ":" + tlsPort + "?client_name=known"}}
		if err := provisioned(store); err != nil {
			t.Fatal(err)
		}
		store.endpoint.option.TLSConfig.RootCAs = x509.NewCertPool()
		store.endpoint.option.TLSConfig.RootCAs.AppendCertsFromPEM(contents(t, cert))
		l := store.endpoint.acquire()
		<-l.tried
		if (l.err == nil) != accepted {
			t.Errorf("%s: %v", host, l.err)
		}
		l.release()
	}
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "redis"},
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER)
}
