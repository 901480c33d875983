package e2e

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// previousSecret is the one that Cryptr's v0 is made with after a key change.
const previousSecret = "e2ePrevious1pQnc10hh5ZDecqQfMDKy0S2FfdWU7ZJQ40Mh2TgweRcXM5Um3b6P"

// highByteSecret is base64 of bytes above 0x7f: for these, McEasy's two readings
// of its key differ.
const highByteSecret = "4oKsw6nDvy3/gICB/v7wn6aA8J+mgA=="

// signer is an independent program that signs as the provider's page says.
type signer struct{ program, script string }

func signers() []signer {
	return []signer{
		{"node", "signers/sign.mjs"},
		{"python3", "signers/sign.py"},
		{"php", "signers/sign.php"},
		{"ruby", "signers/sign.rb"},
	}
}

type variants struct {
	Honest []string `json:"honest"`
	Forged []string `json:"forged"`
}

// list asks which variants the signer knows.
func (s signer) list(t *testing.T) map[string]variants {
	t.Helper()
	harness.Needs(t, s.program)
	text, err := exec.Command(s.program, s.script, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list map[string]variants
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != len(harness.Providers()) {
		t.Fatalf("%s signs for %d providers", s.script, len(list))
	}
	return list
}

// order is a request to a signer.
type order struct {
	Provider   string `json:"provider"`
	Secret     string `json:"secret"`
	Previous   string `json:"previous_secret"`
	Body       []byte `json:"body_base64"`
	At         int64  `json:"at_ms"`
	Event      string `json:"event"`
	Occurrence string `json:"occurrence_id"`
	Variant    string `json:"variant"`
}

func (s signer) sign(t *testing.T, o order, path string) harness.Delivery {
	t.Helper()
	var said struct {
		Headers [][2]string `json:"headers"`
		Error   string      `json:"error"`
	}
	err := harness.Helper(t, s.program, s.script).Ask(o, &said)
	if err == nil && said.Error != "" {
		err = errors.New(said.Error)
	}
	if err != nil {
		t.Fatal(err)
	}
	d := harness.Delivery{Method: http.MethodPost, Path: path, Body: o.Body}
	for _, h := range said.Headers {
		d.Headers = append(d.Headers, harness.Header{Name: h[0], Value: h[1]})
	}
	return d
}

// bodies returns bodies that break verifiers which do not treat a body as
// bytes.
func bodies() map[string][]byte {
	random := make([]byte, 200<<10)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(random)
	return map[string][]byte{
		"empty":         {},
		"json":          []byte(`{"event":"booking.created","id":17}`),
		"pretty":        []byte("{\n  \"event\": \"booking.created\",\n  \"id\": 17\n}\n"),
		"crlf":          []byte("{\r\n\t\"id\": 17\r\n}\r\n\r\n"),
		"invalid-utf8":  []byte("{\"name\":\"\xff\xfe\xc3(\"}"),
		"bom":           []byte("\xef\xbb\xbf{\"id\":17}"),
		"nul":           []byte("{\"id\":17}\x00\x00"),
		"random-200kib": random,
	}
}

// TestSigners lets independent signers sign and forge.
func TestSigners(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/easytools", "easytools", app.Addr, "replay off"),
		harness.Hook("/craneops", "craneops", app.Addr, "replay off"),
		harness.Hook("/mceasy", "mceasy", app.Addr, "replay off"),
		harness.Hook("/cryptr", "cryptr", app.Addr, "replay off"),
		harness.Route("/previous/cryptr", harness.Verify("cryptr", "PREVIOUS_SECRET", "provider previous", "replay off"), "reverse_proxy "+app.Addr),
	), "EASYTOOLS_SECRET="+harness.EasytoolsSecret, "CRANEOPS_SECRET="+harness.CraneOpsSecret,
		"CRYPTR_SECRET="+harness.CryptrSecret, "MCEASY_SECRET="+highByteSecret, "PREVIOUS_SECRET="+previousSecret)
	for _, s := range signers() {
		t.Run(s.program, func(t *testing.T) {
			for name, v := range s.list(t) {
				for body, content := range bodies() {
					o := order{
						Provider: name, Secret: harness.SecretOf(name), Previous: previousSecret, Body: content,
						At: time.Now().UnixMilli(), Event: "6", Occurrence: "48213",
					}
					if name == "mceasy" {
						o.Secret = highByteSecret
					}
					s.check(t, g, app, o, v, body)
				}
			}
		})
	}
}

func (s signer) check(t *testing.T, g *harness.Gateway, app *harness.Application, o order, v variants, body string) {
	query := "?by=" + s.program + "&body=" + body + "&variant="
	for _, variant := range v.Honest {
		o.Variant = variant
		paths := []string{"/" + o.Provider}
		if variant == "rotated" {
			// A gateway that still has the previous key must accept it too.
			paths = append(paths, "/previous/"+o.Provider)
		}
		for _, path := range paths {
			t.Run(strings.TrimPrefix(path, "/")+"/"+body+"/honest-"+variant, func(t *testing.T) {
				d := s.sign(t, o, path+query+variant)
				g.Send(t, d).Accepted(t)
				got := app.With(d.Path)
				if len(got) != 1 {
					t.Fatalf("the application received it %d times", len(got))
				}
				got[0].Carries(t, d)
			})
		}
	}
	for _, variant := range v.Forged {
		o.Variant = variant
		t.Run(o.Provider+"/"+body+"/"+variant, func(t *testing.T) {
			reason, known := forgeries[variant]
			if !known {
				t.Fatalf("no reason is known for %q", variant)
			}
			d := s.sign(t, o, "/"+o.Provider+query+variant)
			g.Send(t, d).Rejected(t, reason)
			if got := app.With(d.Path); len(got) != 0 {
				t.Error("it reached the application")
			}
		})
	}
}

// TestSignersAgree: all signers produce the same result for an order, so that a
// mistake would have to be made in four languages.
func TestSignersAgree(t *testing.T) {
	t.Parallel()
	first := signers()[0]
	for _, s := range signers()[1:] {
		t.Run(s.program, func(t *testing.T) {
			for name, v := range first.list(t) {
				for _, variant := range slices.Concat(v.Honest, v.Forged) {
					for body, content := range bodies() {
						o := order{
							Provider: name, Secret: highByteSecret, Previous: previousSecret, Body: content,
							At: 1741442518123, Event: "6", Occurrence: "48213", Variant: variant,
						}
						got, want := s.sign(t, o, ""), first.sign(t, o, "")
						if !slices.Equal(got.Headers, want.Headers) {
							t.Errorf("%s, %q, %s: %v, not %v", name, variant, body, got.Headers, want.Headers)
						}
					}
				}
			}
		})
	}
}

// forgeries are the signers' ways to forge, and how each is found out.
var forgeries = map[string]string{
	"forged-secret":       "signature_mismatch",
	"forged-body":         "signature_mismatch",
	"forged-truncated":    "malformed_signature",
	"forged-missing":      "missing_signature",
	"forged-plain-sha256": "signature_mismatch",
	"forged-prefix":       "malformed_signature",
	"forged-no-time":      "malformed_signature",
	"forged-undecoded":    "signature_mismatch",
	"forged-body-only":    "signature_mismatch",
	"forged-future":       "future",
	"forged-stale":        "stale",
}
