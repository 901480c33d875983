package schemes

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFacts(t *testing.T) {
	at := time.UnixMilli(1760000000123)
	issued := time.Date(2023, 6, 6, 8, 49, 33, 75265000, time.UTC)
	for _, c := range []struct {
		scheme, secret string
		out            Outgoing
		body           string
		want           Facts
	}{
		{"craneops", "s", Outgoing{Event: "unsigned"}, `{"event":"booking.created"}`, Facts{Event: "booking.created"}},
		{"craneops", "s", Outgoing{Event: "unsigned"}, `{}`, Facts{}},
		{"easytools", "s", Outgoing{}, `{"event":"product_assigned","timestamp":1741442518}`, Facts{
			Event: "product_assigned", OccurredAt: time.Unix(1741442518, 0), BodyTime: time.Unix(1741442518, 0),
		}},
		{"cryptr", "s", Outgoing{}, `{"__domain__":"acme","__environment__":"sandbox","code":"dir_sync.user.update.success","issued_at":"2023-06-06T08:49:33.075265Z"}`, Facts{
			Event: "dir_sync.user.update.success", OccurredAt: issued, Tenant: "acme", Environment: "sandbox",
		}},
		{"cryptr", "s", Outgoing{}, `{"issued_at":"2023-06-06 08:49"}`, Facts{}},
		{"mceasy", "c2VjcmV0", Outgoing{Event: "10"}, `{"event_type":"Alarm","event_name":"Harsh - Braking"}`, Facts{Event: "alarm.harsh_braking"}},
		{"mceasy", "c2VjcmV0", Outgoing{Event: "10"}, `{"event_type":"Alarm"}`, Facts{Event: "10"}},
		{"mceasy", "c2VjcmV0", Outgoing{}, `{"event_id":6}`, Facts{Event: "6"}},
	} {
		t.Run(c.scheme+" "+c.body, func(t *testing.T) {
			s, _ := Get(c.scheme)
			c.out.Body, c.out.At = []byte(c.body), at
			h, err := s.SignWith(c.secret, c.out)
			if err != nil {
				t.Fatal(err)
			}
			got, err := verify(t, c.scheme, []string{c.secret}, h, c.out.Body, at)
			if err != nil {
				t.Fatal(err)
			}
			if !got.OccurredAt.Equal(c.want.OccurredAt) || !got.BodyTime.Equal(c.want.BodyTime) {
				t.Errorf("times %v %v, want %v %v", got.OccurredAt, got.BodyTime, c.want.OccurredAt, c.want.BodyTime)
			}
			got.OccurredAt, got.BodyTime = c.want.OccurredAt, c.want.BodyTime
			if got != c.want {
				t.Errorf("facts %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestSignRefusesWhatTheProviderDoesNotSend(t *testing.T) {
	for _, c := range []struct {
		scheme string
		out    Outgoing
		want   string
	}{
		{"cryptr", Outgoing{Event: "x"}, "event type in the body"},
		{"cryptr", Outgoing{ID: "x"}, "no occurrence ID"},
		{"easytools", Outgoing{Event: "x"}, "event type in the body"},
		{"easytools", Outgoing{ID: "x"}, "no occurrence ID"},
		{"craneops", Outgoing{ID: "x"}, "no occurrence ID"},
		{"mceasy", Outgoing{}, "event id of 1 to 10 digits"},
		{"mceasy", Outgoing{Event: "6|>7"}, "event id of 1 to 10 digits"},
	} {
		s, _ := Get(c.scheme)
		if _, err := s.SignWith("c2VjcmV0", c.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: %v, want %q", c.scheme, c.out, err, c.want)
		}
	}
}

func TestSecrets(t *testing.T) {
	for _, c := range []struct {
		scheme  string
		secrets []string
		want    string
		at      int
	}{
		{"craneops", []string{"a", ""}, "is empty", 2},
		{"easytools", []string{""}, "is empty", 1},
		{"cryptr", []string{"a", "b", ""}, "is empty", 3},
		{"mceasy", []string{"c2VjcmV0", "canary!"}, "is not base64", 2},
		{"mceasy", []string{"c2Vj\ncmV0"}, "is not base64", 1},
		{"mceasy", []string{"c2VjcmU"}, "is not base64", 1},
		{"mceasy", []string{""}, "is empty", 1},
	} {
		s, _ := Get(c.scheme)
		_, err := s.NewVerifier(c.secrets...)
		var secretErr *SecretError
		if !errors.As(err, &secretErr) || secretErr.Position != c.at || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q at %d", c.scheme, err, c.want, c.at)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error holds the secret: %v", c.scheme, err)
		}
	}
	for _, s := range All() {
		if _, err := s.NewVerifier(); err == nil {
			t.Errorf("%s: no error without a secret", s.Name)
		}
	}
}

// TestWhichSecretMatches shows the position that operators see in {…key}.
func TestWhichSecretMatches(t *testing.T) {
	body := []byte(`{}`)
	for _, s := range All() {
		r := requestOf(s, signSample(t, s, body, time.Unix(1e9, 0)))
		good := sampleOf(s).secrets
		for want, secrets := range map[int][]string{1: {good[0], good[1]}, 2: {good[1], good[0]}, 3: {good[1], good[2], good[0]}} {
			v, err := s.NewVerifier(secrets...)
			if err != nil {
				t.Fatal(err)
			}
			d, err := v.Open(r)
			if err != nil {
				t.Fatal(err)
			}
			d.Write(body)
			if got, err := d.Verify(body); got != want || err != nil {
				t.Errorf("%s: secret %d (%v), want %d", s.Name, got, err, want)
			}
			d.Close()
		}
	}
}

func TestRegistry(t *testing.T) {
	if want := []string{"craneops", "cryptr", "easytools", "github", "mceasy", "standard", "stripe"}; !slices.Equal(Names(), want) {
		t.Errorf("schemes %v, want %v", Names(), want)
	}
	for _, s := range All() {
		for _, name := range append([]string{s.SignatureHeader}, append(s.SignedHeaders, s.UnsignedHeaders...)...) {
			if name != http.CanonicalHeaderKey(name) {
				t.Errorf("%s: %s is not in canonical form", s.Name, name)
			}
		}
	}
	for name, s := range map[string]*Scheme{"incomplete": {Name: "new"}, "twice": mceasy} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			Register(s)
		}()
	}
}
