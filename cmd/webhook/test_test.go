package webhook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	acmeDefinition = `scheme_definition {
	signature header X-Acme-Signature {
		separator ,
		names v1
	}
	timestamp field t
	signed {timestamp}.{body}
}`
	acmeMAC = "008abbb229e6f80b90eeb9ba8ab009c1e77be06431b6351bdd25a463e08ee035"
)

// acmeVector returns a delivery of Acme at a Unix second, with the right
// answer.
func acmeVector(name string, at int, answer string) string {
	return fmt.Sprintf(`{"name": %q, "secrets": ["acme_demo_secret"], "at": %d000,
		"headers": [["X-Acme-Signature", "t=1760000000,v1=%s"]],
		"body_base64": "eyJpZCI6ImV2dF8xIiwidHlwZSI6Im9yZGVyLnBhaWQiLCJjcmVhdGVkX2F0IjoiMjAyNi0wMS0zMVQxMjowMDowMFoifQ==",
		%s}`, name, at, acmeMAC, answer)
}

const (
	accepted = `"expect": "accept"`
	stale    = `"expect": "reject", "reason": "stale"`
)

func TestOwnVectors(t *testing.T) {
	right := acmeVector("fresh", 1760000300, accepted) + "," + acmeVector("old", 1760000301, stale)
	for _, test := range []struct {
		name, definition, vectors string
		status                    int
		want                      []string
	}{
		{"right", acmeDefinition, "[" + right + "]", 0, []string{"2 vectors, 0 wrong"}},
		{"a wrong expectation", acmeDefinition, "[" + right + "," + acmeVector("older", 1760000301, accepted) + "]", 1, []string{
			"older: reject stale, want accept (must: older)", "3 vectors, 1 wrong",
		}},
		{"a wrong definition", strings.Replace(acmeDefinition, "{timestamp}.{body}", "{timestamp}:{body}", 1), "[" + right + "]", 1, []string{
			"fresh: reject signature_mismatch, want accept", "write signed {timestamp}.{body}", "2 vectors, 2 wrong",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := run(t, nil, "test", "--definition", tempFile(t, []byte(test.definition)), tempFile(t, []byte(test.vectors)))
			if o.status != test.status || o.errOut != "" || strings.Contains(o.out, "acme_demo_secret") {
				t.Errorf("status %d: %s%s", o.status, o.out, o.errOut)
			}
			for _, want := range test.want {
				if !strings.Contains(o.out, want) {
					t.Errorf("no %q in\n%s", want, o.out)
				}
			}
		})
	}
}

// TestBuiltInVectors: the command gets the right answers for the vectors of the
// built-in schemes.
func TestBuiltInVectors(t *testing.T) {
	files, err := filepath.Glob("../../schemes/testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		scheme := strings.TrimSuffix(filepath.Base(file), ".json")
		if o := run(t, nil, "test", "--scheme", scheme, file); o.status != 0 || !strings.Contains(o.out, " vectors, 0 wrong") {
			t.Errorf("%s: status %d: %s%s", scheme, o.status, o.out, o.errOut)
		}
	}
}

func TestVectorsUsage(t *testing.T) {
	vector := acmeVector("one", 1760000300, accepted)
	for _, test := range []struct{ vectors, want string }{
		{"[]", "there are no vectors in the file; write at least one"},
		{"{}", "the vectors cannot be read: json: cannot unmarshal object"},
		{"[" + vector, "the vectors cannot be read: unexpected EOF"},
		{"[" + vector + "] []", "there is more behind the list of vectors"},
		{"[" + vector + "," + vector + "]", "one is there twice"},
		{"[" + strings.Replace(vector, `"expect"`, `"expected"`, 1) + "]", `unknown field "expected"`},
		{"[" + strings.Replace(vector, `"one"`, `""`, 1) + "]", "vector 1, without a name: name, secrets, method, at or why is missing"},
		{"[" + strings.Replace(vector, `"accept"`, `"maybe"`, 1) + "]", `vector 1, one: expect "maybe" is not known`},
	} {
		o := run(t, nil, "test", "--definition", tempFile(t, []byte(acmeDefinition)), tempFile(t, []byte(test.vectors)))
		if o.status != 2 || o.out != "" || !strings.Contains(o.errOut, test.want) {
			t.Errorf("%s: status %d: %s%s", test.want, o.status, o.out, o.errOut)
		}
	}
	for _, args := range [][]string{{"test", "--scheme", "stripe"}, {"test", "x"}, {"test", "--scheme", "stripe", "a", "b"}, {"test", "--scheme", "stripe", os.DevNull + "/none"}} {
		if o := run(t, nil, args...); o.status != 2 {
			t.Errorf("%v: status %d: %s%s", args, o.status, o.out, o.errOut)
		}
	}
}
