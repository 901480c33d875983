package schemes

import (
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFacts(t *testing.T) {
	at := time.UnixMilli(1760000000123)
	issued := time.Date(2023, 6, 6, 8, 49, 33, 75265000, time.UTC)
	for _, c := range []struct {
		scheme string
		out    Delivery
		body   string
		want   Event
	}{
		{"craneops", Delivery{Event: "unsigned"}, `{"event":"booking.created"}`, Event{Type: "booking.created"}},
		{"craneops", Delivery{Event: "unsigned"}, `{}`, Event{}},
		{"easytools", Delivery{}, `{"event":"product_assigned","timestamp":1741442518}`, Event{
			Type: "product_assigned", OccurredAt: time.Unix(1741442518, 0), BodyTime: time.Unix(1741442518, 0),
		}},
		{"cryptr", Delivery{}, `{"__domain__":"acme","__environment__":"sandbox","code":"dir_sync.user.update.success","issued_at":"2023-06-06T08:49:33.075265Z"}`, Event{
			Type: "dir_sync.user.update.success", OccurredAt: issued, Tenant: "acme", Environment: "sandbox",
		}},
		{"cryptr", Delivery{}, `{"issued_at":"2023-06-06 08:49"}`, Event{}},
		{"mceasy", Delivery{Event: "10"}, `{"event_type":"Alarm","event_name":"Harsh - Braking"}`, Event{Type: "alarm.harsh_braking"}},
		{"mceasy", Delivery{Event: "10"}, `{"event_type":"Alarm"}`, Event{Type: "10"}},
		{"mceasy", Delivery{}, `{"event_id":6}`, Event{Type: "6"}},
		{"stripe", Delivery{}, `{"id":"evt_1","type":"invoice.paid","created":1741442518}`, Event{
			ID: "evt_1", Type: "invoice.paid", OccurredAt: time.Unix(1741442518, 0),
		}},
		{"slack", Delivery{}, `{"team_id":"T1","event":{"type":"app_mention"},"type":"event_callback","event_id":"Ev08MFMKH6","event_time":1741442518}`, Event{
			ID: "Ev08MFMKH6", Type: "app_mention", OccurredAt: time.Unix(1741442518, 0), Tenant: "T1",
		}},
		{"slack", Delivery{}, `command=%2Fweather&team_id=T1`, Event{}},
		{"shopify", Delivery{Event: "orders/create", ID: "b54557e4"}, `{"id":820982911946154508,"topic":"no"}`, Event{}},
		{"square", Delivery{}, `{"merchant_id":"M1","type":"payment.updated","event_id":"ac3ac95b-f97d","created_at":"2023-06-06T08:49:33.075265Z"}`, Event{
			ID: "ac3ac95b-f97d", Type: "payment.updated", OccurredAt: issued, Tenant: "M1",
		}},
		{"paddle", Delivery{}, `{"event_id":"evt_01","notification_id":"ntf_01","event_type":"transaction.paid","occurred_at":"2023-06-06T08:49:33.075265Z"}`, Event{
			ID: "evt_01", Type: "transaction.paid", OccurredAt: issued,
		}},
		{"meta", Delivery{}, `{"object":"page","entry":[{"id":"0","time":1520383571}]}`, Event{Type: "page"}},
		{"linear", Delivery{Event: "unsigned"}, `{"action":"create","type":"Issue","createdAt":"2023-06-06T08:49:33.075265Z","organizationId":"o1","webhookTimestamp":1760000000123,"webhookId":"w1"}`, Event{
			Type: "Issue", OccurredAt: issued, BodyTime: at, Tenant: "o1",
		}},
		{"zoom", Delivery{}, `{"event":"meeting.started","event_ts":1760000000123,"payload":{"account_id":"a1"}}`, Event{
			Type: "meeting.started", OccurredAt: at, Tenant: "a1",
		}},
		{"gitlab", Delivery{ID: "908a6d9e-45fd", Event: "Push Hook"}, `{"object_kind":"push"}`, Event{ID: "908a6d9e-45fd", Type: "push"}},
		{"discord", Delivery{}, `{"version":1,"type":1,"event":{"type":"APPLICATION_AUTHORIZED","timestamp":"2024-10-18T14:42:53.064834"}}`, Event{
			Type: "APPLICATION_AUTHORIZED",
		}},
		{"sendgrid", Delivery{}, `[{"event":"dropped","timestamp":1600112492}]`, Event{}},
		{"twilio", Delivery{ID: "token"}, `{"id":"e1","type":"x"}`, Event{}},
	} {
		t.Run(c.scheme+" "+c.body, func(t *testing.T) {
			s, _ := Get(c.scheme)
			with := sampleOf(s)
			c.out.Body, c.out.At = []byte(c.body), at
			c.out.Request = requestOf(s, nil, c.out.Body)
			h, err := s.SignWith(with.signing, c.out)
			if err != nil {
				t.Fatal(err)
			}
			got, err := verify(t, c.scheme, with.secrets[:], h, c.out.Body, at)
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
		out    Delivery
		want   string
	}{
		{"cryptr", Delivery{Event: "x"}, "event type in the body"},
		{"cryptr", Delivery{ID: "x"}, "no occurrence ID"},
		{"easytools", Delivery{Event: "x"}, "event type in the body"},
		{"easytools", Delivery{ID: "x"}, "no occurrence ID"},
		{"craneops", Delivery{ID: "x"}, "no occurrence ID"},
		{"mceasy", Delivery{}, "event id of 1 to 10 digits"},
		{"mceasy", Delivery{Event: "6|>7"}, "event id of 1 to 10 digits"},
		{"gitlab", Delivery{}, "signs an id of"},
		{"discord", Delivery{ID: "x"}, "no occurrence ID"},
		{"square", Delivery{}, "signs the URL; give it"},
	} {
		s, _ := Get(c.scheme)
		if _, err := s.SignWith(sampleOf(s).signing, c.out); err == nil || !strings.Contains(err.Error(), c.want) {
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
		_, err := s.NewVerifier(c.secrets)
		var secretErr *SecretError
		if !errors.As(err, &secretErr) || secretErr.Position != c.at || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q at %d", c.scheme, err, c.want, c.at)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error holds the secret: %v", c.scheme, err)
		}
	}
	for _, s := range All() {
		if _, err := s.NewVerifier(nil); err == nil {
			t.Errorf("%s: no error without a secret", s.Name())
		}
	}
}

// TestWhichSecretMatches checks the position that operators see in
// {http.verify_webhook.key}.
func TestWhichSecretMatches(t *testing.T) {
	body := []byte(`{}`)
	for _, s := range All() {
		r := requestOf(s, signSample(t, s, body, time.Unix(1e9, 0)), body)
		good := sampleOf(s).secrets
		for want, secrets := range map[int][]string{1: {good[0], good[1]}, 2: {good[1], good[0]}, 3: {good[1], good[2], good[0]}} {
			v, err := s.NewVerifier(secrets)
			if err != nil {
				t.Fatal(err)
			}
			d, err := v.Begin(r)
			if err != nil {
				t.Fatal(err)
			}
			d.Write(body)
			if got, err := d.Authenticate(); got != want || err != nil {
				t.Errorf("%s: secret %d (%v), want %d", s.Name(), got, err, want)
			}
			d.Close()
		}
	}
}

func TestRegistry(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, file := range files {
		want = append(want, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	if !slices.Equal(Names(), want) {
		t.Errorf("schemes %v, want %v, which have vectors; CONTRIBUTING.md says how to make some", Names(), want)
	}
	for _, s := range All() {
		for _, name := range append([]string{s.SignatureHeader()}, append(s.SignedHeaders(), s.UnsignedHeaders()...)...) {
			if name != http.CanonicalHeaderKey(name) {
				t.Errorf("%s: %s is not in canonical form", s.Name(), name)
			}
		}
	}
	taken := reversed()
	taken.Name = "mceasy"
	for name, i := range map[string]Implementation{"incomplete": {Name: "new"}, "twice": taken} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			Register(i)
		}()
	}
}
