package webhook

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"testing"
)

const awkward = "{\"a\" : 1}\r\n\xff\x00 \n" // nothing may be trimmed or decoded

func TestSign(t *testing.T) {
	key := []byte{0x80, 1, 2, 3}
	secret := base64.StdEncoding.EncodeToString(key)
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString(mac(key, text)) }
	for name, test := range map[string]struct {
		args []string
		body string
		want string
	}{
		"easytools": {
			[]string{"--scheme", "easytools", "--secret", "k"},
			awkward,
			fmt.Sprintf("X-Webhook-Signature: %x\n", mac([]byte("k"), awkward)),
		},
		"craneops": {
			[]string{"--scheme", "craneops", "--secret", "k", "--event", "booking.created"},
			awkward,
			fmt.Sprintf("X-Craneops-Signature: %x\nX-Craneops-Event: booking.created\n", mac([]byte("k"), awkward)),
		},
		"cryptr now": {
			[]string{"--scheme", "cryptr", "--secret", "k"},
			awkward,
			fmt.Sprintf("Cryptr-Signature: t=1769860800,v1=sha256.%x\n", mac([]byte("k"), "1769860800."+awkward)),
		},
		"cryptr, Unix seconds": {
			[]string{"--scheme", "cryptr", "--secret", "k", "--at", "1676905124"},
			"",
			fmt.Sprintf("Cryptr-Signature: t=1676905124,v1=sha256.%x\n", mac([]byte("k"), "1676905124.")),
		},
		"cryptr, RFC 3339": {
			[]string{"--scheme", "cryptr", "--secret", "k", "--at", "2023-02-20T15:58:44+01:00"},
			"",
			fmt.Sprintf("Cryptr-Signature: t=1676905124,v1=sha256.%x\n", mac([]byte("k"), "1676905124.")),
		},
		"mceasy": {
			[]string{"--scheme", "mceasy", "--secret", secret, "--event", "4", "--id", "job-1", "--at", "2023-02-20T14:58:44.5Z"},
			awkward,
			"X-Mceasywebhook-Signature: v1.0:" + b64("1676905124500|>4|>"+awkward) +
				"\nX-Mceasywebhook-Timestamp: 1676905124500\nX-Mceasywebhook-Event: 4\nX-Mceasywebhook-Occurrence-Id: job-1\n",
		},
		"mceasy, the event in the body": {
			[]string{"--scheme", "mceasy", "--secret", secret},
			`{"event_id":31}`,
			"X-Mceasywebhook-Signature: v1.0:" + b64(`1769860800000|>31|>{"event_id":31}`) +
				"\nX-Mceasywebhook-Timestamp: 1769860800000\nX-Mceasywebhook-Event: 31\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for from, o := range map[string]outcome{
				"standard input": run(t, []byte(test.body), append([]string{"sign"}, test.args...)...),
				"a dash":         run(t, []byte(test.body), append(append([]string{"sign"}, test.args...), "-")...),
				"a file":         run(t, []byte("other"), append(append([]string{"sign"}, test.args...), tempFile(t, []byte(test.body)))...),
			} {
				if o.status != 0 || o.out != test.want || o.errOut != "" {
					t.Errorf("from %s: status %d\n%s%swant\n%s", from, o.status, o.out, o.errOut, test.want)
				}
			}
		})
	}
}

// TestSecretFrom covers the sources of a secret, and the newline at the end of
// a file that is not part of it.
func TestSecretFrom(t *testing.T) {
	t.Setenv("HOOKLATCH_TEST_SECRET", "k\n")
	for _, test := range []struct{ secret, key string }{
		{" k ", " k "},
		{"env:HOOKLATCH_TEST_SECRET", "k\n"},
		{"file:" + tempFile(t, []byte("k")), "k"},
		{"file:" + tempFile(t, []byte("k\n")), "k"},
		{"file:" + tempFile(t, []byte("k\r\n")), "k"},
		{"file:" + tempFile(t, []byte("k\n\n")), "k\n"},
		{"file:" + tempFile(t, []byte("k\r\r\n")), "k\r"},
		{"file:" + tempFile(t, []byte("k\n\r")), "k\n"}, // as Caddy: each is looked for once
		{"file:" + tempFile(t, []byte(" k \t")), " k \t"},
	} {
		o := run(t, []byte("b"), "sign", "--scheme", "easytools", "--secret", test.secret)
		if want := fmt.Sprintf("X-Webhook-Signature: %x\n", mac([]byte(test.key), "b")); o.out != want {
			t.Errorf("%q: %s%s", test.key, o.out, o.errOut)
		}
	}
}

func TestSizeLimits(t *testing.T) {
	// The size of standard input or a pipe is not known before it is read.
	if _, err := readAll(bytes.NewReader(make([]byte, 1<<20+1)), 1<<20); err == nil || err.Error() != "it is larger than 1 MiB" {
		t.Errorf("more than the limit: %v", err)
	}
	if all, err := readAll(bytes.NewReader(make([]byte, 1<<20)), 1<<20); err != nil || len(all) != 1<<20 {
		t.Errorf("the limit itself: %d bytes, %v", len(all), err)
	}
	sparse := func(size int64) string {
		path := tempFile(t, nil)
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		return path
	}
	o := run(t, nil, "sign", "--scheme", "easytools", "--secret", "k", sparse(maxInput+1))
	if o.status != 2 || firstLine(o.errOut) != "Error: the body cannot be read: it is larger than 64 MiB; write FILE, or - for standard input" {
		t.Errorf("status %d: %s", o.status, o.errOut)
	}
	o = run(t, nil, "sign", "--scheme", "easytools", "--secret", "file:"+sparse(maxSecretFile+1))
	if o.status != 2 || firstLine(o.errOut) != "Error: secret 1: the file cannot be read: it is larger than 1 MiB; write file:PATH with its path" {
		t.Errorf("status %d: %s", o.status, o.errOut)
	}
}
