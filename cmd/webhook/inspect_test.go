package webhook

import "testing"

// TestLoopback: the page is served only to this machine.
func TestLoopback(t *testing.T) {
	for address, want := range map[string]string{
		"": "127.0.0.1:0", "127.0.0.1:9000": "127.0.0.1:9000", "127.9.9.9:1": "127.9.9.9:1", "[::1]:80": "[::1]:80", "localhost:80": "127.0.0.1:80",
	} {
		if got, err := localOnly(&option{name: "listen", text: address}); err != nil || got != want {
			t.Errorf("%q: %q, %v", address, got, err)
		}
	}
	for _, address := range []string{":80", "0.0.0.0:80", "[::]:80", "192.168.0.1:80", "example.com:80", "localhost.example.com:80", "80", "127.0.0.1", "unix//run/page.sock"} {
		if got, err := localOnly(&option{name: "listen", text: address}); err == nil {
			t.Errorf("%q is let through as %q", address, got)
		}
	}
}
