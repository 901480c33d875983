package schemes

import (
	"net/http"
	"reflect"
	"testing"
	"time"
)

// TestNothingToChange: all users share a scheme or a refusal, so neither has a
// field that another package can write, and neither is a pointer through which
// it could be replaced.
func TestNothingToChange(t *testing.T) {
	_, err := verify(t, "stripe", []string{"k"}, http.Header{}, nil, ownClock())
	if err == nil {
		t.Fatal("it is not refused")
	}
	for _, shared := range []any{mustGet(t, "stripe"), err} {
		typ := reflect.TypeOf(shared)
		if typ.Kind() != reflect.Struct {
			t.Errorf("%v is a %v", typ, typ.Kind())
			continue
		}
		for field := range typ.Fields() {
			if field.IsExported() {
				t.Errorf("%v has the field %s", typ, field.Name)
			}
		}
	}
}

// TestRegistryIsNotTheCallers: a caller can change only its own copy of what the
// methods return.
func TestRegistryIsNotTheCallers(t *testing.T) {
	v, err := mustGet(t, "slack").NewVerifier([]string{"k"})
	if err != nil {
		t.Fatal(err)
	}
	all := All()
	all[0] = Scheme{}
	Names()[0] = "spoilt"
	for range 2 {
		for _, s := range append(All(), mustGet(t, "slack"), v.Scheme()) {
			for _, names := range [][]string{s.SignedHeaders(), s.AliasHeaders(), s.UnsignedHeaders()} {
				for i, name := range names {
					if name == "spoilt" {
						t.Fatalf("the headers of %s can be changed", s.Name())
					}
					names[i] = "spoilt"
				}
			}
			h := s.Handshake()
			if h == nil {
				continue
			}
			if h.Signed == nil && h.Query == nil {
				t.Fatalf("the handshake of %s can be changed", s.Name())
			}
			*h = Handshake{}
		}
	}
}

// TestSourceIsCopied: changing a definition or an implementation after it was
// compiled does not change the scheme.
func TestSourceIsCopied(t *testing.T) {
	at := time.Unix(1e9, 0)
	verifies := func(s Scheme, h http.Header) {
		t.Helper()
		if _, err := verifyBy(t, s, []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, Request{Header: h}, []byte("{}"), at); err != nil {
			t.Error(err)
		}
	}
	d := Definition{
		Signature: SignatureForm{Header: "X-S", Separator: ",", Names: []string{"v1"}},
		Timestamp: TimePlace{Place: Place{Field: "t"}},
		Signed:    "{timestamp}.{body}",
		Aliases:   []map[string]string{{"X-S": "Y-S"}},
	}
	listed, err := d.Compile("listed")
	if err != nil {
		t.Fatal(err)
	}
	h, err := listed.SignWith("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Delivery{Body: []byte("{}"), At: at})
	if err != nil {
		t.Fatal(err)
	}
	d.Signature.Names[0], d.Aliases[0]["X-S"] = "v0", "Z-S"
	verifies(listed, h)
	verifies(listed, http.Header{"Y-S": h["X-S"]})

	d = Definition{
		Signature: SignatureForm{Header: "X-S", Encoding: "base64", Separator: " ", Assign: ","},
		Variants:  []Variant{{Name: "v1", Key: "whsec_"}},
	}
	several, err := d.Compile("several")
	if err != nil {
		t.Fatal(err)
	}
	h, err = several.SignWith("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Delivery{Body: []byte("{}"), At: at})
	if err != nil {
		t.Fatal(err)
	}
	d.Variants[0] = Variant{Name: "v9", Key: "pem"}
	verifies(several, h)

	i := reversed()
	i.SignedHeaders, i.AliasHeaders, i.UnsignedHeaders = []string{"A"}, []string{"B"}, []string{"C"}
	i.Handshake = &Handshake{Signed: func(Key, []byte) (*Reply, error) { return nil, nil }}
	s := compiled(t, i)
	i.SignedHeaders[0], i.AliasHeaders[0], i.UnsignedHeaders[0], *i.Handshake = "", "", "", Handshake{}
	if s.SignedHeaders()[0] != "A" || s.AliasHeaders()[0] != "B" || s.UnsignedHeaders()[0] != "C" || s.Handshake().Signed == nil {
		t.Error("the scheme in Go was changed")
	}
}

// TestNoScheme: Get returns the zero value for an unknown name.
func TestNoScheme(t *testing.T) {
	s, ok := Get("none")
	if ok || s != (Scheme{}) || s.Name() != "" || s.SignedHeaders() != nil || s.Handshake() != nil {
		t.Errorf("%v %+v", ok, s)
	}
	if _, err := s.NewVerifier([]string{"k"}); err == nil {
		t.Error("it verifies")
	}
	if _, err := s.SignWith("k", Delivery{}); err == nil {
		t.Error("it signs")
	}
}
