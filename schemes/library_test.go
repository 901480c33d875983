package schemes

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func ownClock() time.Time { return time.Unix(1760000000, 0) }

// stripeDelivery returns a verifier and a delivery that it accepts.
func stripeDelivery(t *testing.T, at time.Time, body string) (*Verifier, *http.Request) {
	t.Helper()
	v, err := NewVerifier("stripe", []string{"k"}, Clock(ownClock))
	if err != nil {
		t.Fatal(err)
	}
	s, _ := Get("stripe")
	h, err := s.SignWith("k", Delivery{Body: []byte(body), At: at})
	if err != nil {
		t.Fatal(err)
	}
	return v, &http.Request{Header: h}
}

func TestVerifyJudgesSignatureAndTime(t *testing.T) {
	const body = `{"id":"evt_1","type":"paid"}`
	for _, c := range []struct {
		name, sent string
		at         time.Time
		want       error
	}{
		{"fresh", body, ownClock(), nil},
		{"at the end of the tolerance", body, ownClock().Add(-DefaultTolerance), nil},
		{"of 1970", body, time.Unix(1, 0), ErrStale},
		{"ahead of the clock", body, ownClock().Add(time.Hour), ErrFuture},
		{"another body", body + " ", ownClock(), ErrSignatureMismatch},
		{"another body, and old", body + " ", time.Unix(1, 0), ErrSignatureMismatch},
	} {
		v, r := stripeDelivery(t, c.at, body)
		event, err := v.Verify(r, []byte(c.sent))
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		want := Event{}
		if c.want == nil {
			want = Event{ID: "evt_1", Type: "paid", SentAt: c.at, JudgedAt: ownClock(), Secret: 1}
		}
		if event != want {
			t.Errorf("%s: %+v, want %+v", c.name, event, want)
		}
	}
	v, r := stripeDelivery(t, ownClock(), body)
	r.Header = http.Header{}
	if _, err := v.Verify(r, []byte(body)); !errors.Is(err, ErrMissingSignature) {
		t.Errorf("no signature: %v", err)
	}
}

// growing is a shared body that grows while it is read.
type growing struct{ bytes.Buffer }

// TestEventIsOfWhatWasWritten: no misuse of a Verification makes it return the
// event of a body that the signature does not cover.
func TestEventIsOfWhatWasWritten(t *testing.T) {
	const signed, other = `{"id":"evt_1","type":"paid"}`, `{"id":"evt_2","type":"paid"}`
	var body growing
	for _, c := range []struct {
		name string
		hold func(d *Verification) // misuses the verification
		want bool
		id   string
	}{
		{"in pieces", func(d *Verification) { d.Write([]byte(signed[:5])); d.Write([]byte(signed[5:])) }, true, "evt_1"},
		{"another body", func(d *Verification) { d.Write([]byte(other)) }, false, ""},
		{"what is signed of another one before", func(d *Verification) {
			d.Write([]byte(signed))
			d.Signed()
			d.Write([]byte(" "))
		}, false, ""},
		{"more behind the verdict", func(d *Verification) {
			d.Write([]byte(signed))
			d.Verify()
			d.Write([]byte(" "))
		}, false, ""},
	} {
		v, r := stripeDelivery(t, ownClock(), signed)
		d, err := v.Begin(Request{Header: r.Header})
		if err != nil {
			t.Fatal(err)
		}
		c.hold(d)
		if event, err := d.Verify(); (err == nil) != c.want || event.ID != c.id {
			t.Errorf("%s: %v, id %q", c.name, err, event.ID)
		}
		d.Close()
	}
	for _, c := range []struct {
		name string
		hold func(d *Verification)
		want bool
	}{
		{"kept, then written", func(d *Verification) {
			for _, piece := range []string{signed[:9], signed[9:]} {
				body.WriteString(piece)
				d.Write([]byte(piece))
			}
		}, true},
		{"kept, and the same memory written", func(d *Verification) {
			body.WriteString(signed)
			d.Write(body.Bytes())
		}, true},
		{"one kept and another written", func(d *Verification) {
			body.WriteString(other)
			d.Write([]byte(signed))
		}, false},
		{"one piece kept twice", func(d *Verification) {
			body.WriteString(signed[:9] + signed)
			d.Write([]byte(signed))
		}, false},
		{"written and not kept", func(d *Verification) { d.Write([]byte(signed)) }, false},
		{"kept and not written", func(*Verification) { body.WriteString(signed) }, false},
		{"more kept after it was written", func(d *Verification) {
			body.WriteString(signed)
			d.Write(body.Bytes())
			body.WriteString(" ")
		}, false},
	} {
		body.Reset()
		v, r := stripeDelivery(t, ownClock(), signed)
		d, err := v.BeginShared(Request{Header: r.Header}, &body)
		if err != nil {
			t.Fatal(err)
		}
		c.hold(d)
		if event, err := d.Verify(); (err == nil) != c.want || (event.ID == "evt_1") != c.want {
			t.Errorf("%s: %v, id %q", c.name, err, event.ID)
		}
		d.Close()
	}
}

// TestAuthenticAndOld: the event of an authentic but old delivery is returned,
// since an operator must see it.
func TestAuthenticAndOld(t *testing.T) {
	const body = `{"id":"evt_1"}`
	v, r := stripeDelivery(t, time.Unix(1, 0), body)
	d, err := v.Begin(Request{Header: r.Header})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	d.Write([]byte(body))
	if event, err := d.Verify(); !errors.Is(err, ErrStale) || event.ID != "evt_1" || event.Secret != 1 {
		t.Errorf("%+v %v", event, err)
	}
}

// TestRefusalsOfOtherSchemes: whatever error a scheme in Go returns, the caller
// gets a Refusal whose reason can be a metric label.
func TestRefusalsOfOtherSchemes(t *testing.T) {
	var none *Refusal
	for _, c := range []struct {
		name string
		err  error
		want Reason
	}{
		{"a reason of its own", Refuse("over_quota", "for today"), "over_quota"},
		{"a nil pointer", none, SignatureMismatch},
		{"no reason", Refusal{}, SignatureMismatch},
		{"a pointer", &Refusal{}, SignatureMismatch},
		{"wrapped", fmt.Errorf("evil: %w", Refuse("over_quota", "for today")), "over_quota"},
		{"what the sender wrote as a reason", Refuse("x\ny", ""), SignatureMismatch},
		{"another error", errors.New("evil"), SignatureMismatch},
	} {
		for _, late := range []bool{false, true} {
			i := reversed()
			if late {
				i.SignedText = func([]byte, *SignedHeaders, []byte, int) ([]byte, error) { return nil, c.err }
			} else {
				i.Begin = func(Request, *SignedHeaders) error { return c.err }
			}
			v, err := compiled(t, i).NewVerifier([]string{"k"})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "https://a/b", nil)
			r.Header.Set("X-S", strings.Repeat("00", 20))
			_, err = v.Verify(r, nil)
			refused, ok := err.(Refusal) //nolint:errorlint // exactly this type
			if !ok || refused.Reason() != c.want || !errors.Is(err, c.want) || strings.Contains(err.Error(), "evil") {
				t.Errorf("%s, late %v: %v, want %s", c.name, late, err, c.want)
			}
		}
	}
	if err := NewWindow(0, 0).Judge(ownClock(), ownClock()); err != nil {
		t.Errorf("a fresh time: %#v", err)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		scheme string
		option Option
		want   string
	}{
		{"stripe", Tolerance(time.Hour, 0), ""},
		{"easytools", Tolerance(0, 0), ""},
		{"stripe", IgnoreTime(), ""},
		{"square", WithPublicURL("https://hooks.example.com/in"), ""},
		{"github", Tolerance(0, 0), "tolerance: github has no signed time"},
		{"stripe", Tolerance(-1, 0), "write IgnoreTime"},
		{"stripe", Clock(nil), "clock: it is nil"},
		{"stripe", WithPublicURL("https://a"), "stripe does not sign the URL"},
		{"square", WithPublicURL("hooks.example.com"), "not the beginning of a URL"},
		{"nobody", IgnoreTime(), "no scheme has this name; write one of " + strings.Join(Names(), ", ")},
	} {
		_, err := NewVerifier(c.scheme, []string{"k"}, c.option)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.scheme, err, c.want)
		}
	}
	if _, err := NewVerifier("stripe", nil); err == nil {
		t.Error("a verifier without a secret")
	}
	const body = `{"id":"evt_1"}`
	_, r := stripeDelivery(t, time.Unix(1, 0), body)
	for _, c := range []struct {
		option Option
		want   error
	}{{IgnoreTime(), nil}, {Tolerance(time.Hour, 0), ErrStale}, {Tolerance(60*365*24*time.Hour, 0), nil}} {
		v, err := NewVerifier("stripe", []string{"k"}, Clock(ownClock), c.option)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(r, []byte(body)); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}

// TestBodyTimeIsJudgedIfAsked: the time in the body is checked only with
// Tolerance.
func TestBodyTimeIsJudgedIfAsked(t *testing.T) {
	s, _ := Get("easytools")
	for _, c := range []struct {
		body    string
		options []Option
		want    error
	}{
		{`{"timestamp":1}`, nil, nil},
		{`{"timestamp":1}`, []Option{Tolerance(0, 0)}, ErrStale},
		{`{}`, []Option{Tolerance(0, 0)}, ErrNoSignedTime},
		{`{"timestamp":1760000000}`, []Option{Tolerance(0, 0)}, nil},
	} {
		h, err := s.SignWith("k", Delivery{Body: []byte(c.body)})
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.NewVerifier([]string{"k"}, append(c.options, Clock(ownClock))...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Verify(&http.Request{Header: h}, []byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.body, err, c.want)
		}
	}
}

// TestURLOfARequest: the URL is the one that the sender wrote, or the public
// one.
func TestURLOfARequest(t *testing.T) {
	for target, want := range map[string][2]string{
		"/a%2Fb?c=%20&d":          {"http://example.com/a%2Fb?c=%20&d", "https://pub.example:443/in/a%2Fb?c=%20&d"},
		"https://example.com/a?b": {"https://example.com/a?b", "https://pub.example:443/in/a?b"},
		"http://example.com:81":   {"http://example.com:81/", "https://pub.example:443/in/"},
	} {
		r := httptest.NewRequest(http.MethodPost, target, nil)
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-Host", "other.example.com")
		for i, text := range []string{"", "https://pub.example:443/in/"} {
			var public PublicURL
			if text != "" {
				var err error
				if public, err = ParsePublicURL(text); err != nil {
					t.Fatal(err)
				}
			}
			seen := RequestOf(r, public)
			if seen.URL() != want[i] || seen.Method != http.MethodPost {
				t.Errorf("%s: %s, want %s", target, seen.URL(), want[i])
			}
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.RequestURI, r.URL.Path, r.URL.Opaque = "*", "", "*"
	if seen := RequestOf(r, PublicURL{}); seen.URL() != "://" {
		t.Errorf("%+v has a URL", seen)
	}
}
