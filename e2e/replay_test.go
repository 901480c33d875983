package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

func duplicate(t *testing.T, a harness.Answer) { t.Helper(); a.Duplicate(t) }
func conflict(t *testing.T, a harness.Answer)  { t.Helper(); a.Rejected(t, "conflict") }
func accepted(t *testing.T, a harness.Answer)  { t.Helper(); a.Accepted(t) }

// TestReplay sends a delivery and then a replay of it with changed unsigned
// values. Each case has a different body, so that the cases do not share
// history entries.
func TestReplay(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/easytools", "easytools", app.Addr),
		harness.Hook("/craneops", "craneops", app.Addr),
		harness.Hook("/mceasy", "mceasy", app.Addr),
		harness.Hook("/cryptr", "cryptr", app.Addr),
	), harness.Secrets()...)
	for _, c := range replays(time.Now()) {
		t.Run(c.name, func(t *testing.T) {
			g.Send(t, c.first).Accepted(t)
			c.want(t, g.Send(t, c.again))
			// A refused replay changes nothing: the same delivery is still a duplicate.
			g.Send(t, c.first).Duplicate(t)
			if n := app.CountBody(c.first.Body); n != 1 {
				t.Errorf("the application received the first %d times", n)
			}
			if !bytes.Equal(c.first.Body, c.again.Body) && app.CountBody(c.again.Body) != 0 {
				t.Error("the second reached the application")
			}
		})
	}
}

type replay struct {
	name         string
	first, again harness.Delivery
	want         func(*testing.T, harness.Answer)
}

func replays(now time.Time) []replay {
	return append(append(bodySignedReplays(), mceasyReplays(now)...), cryptrReplays(now)...)
}

func bodySignedReplays() []replay {
	const signature = "X-CraneOps-Signature"
	crane := func(name string, change func(harness.Delivery) harness.Delivery, want func(*testing.T, harness.Answer)) replay {
		d := harness.CraneOps(`{"craneops":"` + name + `"}`)
		return replay{"craneops " + name, d, change(d), want}
	}
	shop := harness.Easytools(`{"easytools":"hex case"}`)
	return []replay{
		{"easytools hex case", shop, shop.With("X-Webhook-Signature", strings.ToUpper(shop.Get("X-Webhook-Signature"))), duplicate},
		crane("unchanged", func(d harness.Delivery) harness.Delivery { return d }, duplicate),
		crane("hex case", func(d harness.Delivery) harness.Delivery { return d.With(signature, strings.ToUpper(d.Get(signature))) }, duplicate),
		crane("other path", func(d harness.Delivery) harness.Delivery { return d.To("/craneops/somewhere/else") }, duplicate),
		crane("other query", func(d harness.Delivery) harness.Delivery { return d.To("/craneops?attempt=2") }, duplicate),
		crane("other content type", func(d harness.Delivery) harness.Delivery { return d.With("Content-Type", "text/plain") }, duplicate),
		crane("event changed", func(d harness.Delivery) harness.Delivery { return d.With("X-CraneOps-Event", "booking.cancelled") }, conflict),
		crane("event removed", func(d harness.Delivery) harness.Delivery { return d.Without("X-CraneOps-Event") }, conflict),
	}
}

func mceasyReplays(now time.Time) []replay {
	const (
		signature  = "X-McEasyWebhook-Signature"
		occurrence = "X-McEasyWebhook-Occurrence-ID"
	)
	body := func(name string) string { return `{"mceasy":"` + name + `"}` }
	change := func(name string, change func(harness.Delivery) harness.Delivery, want func(*testing.T, harness.Answer)) replay {
		d := harness.McEasy(body(name), now, "6", "occurrence-"+strings.ReplaceAll(name, " ", "-"))
		return replay{"mceasy " + name, d, change(d), want}
	}
	return []replay{
		change("unchanged", func(d harness.Delivery) harness.Delivery { return d }, duplicate),
		change("version label", func(d harness.Delivery) harness.Delivery {
			return d.With(signature, strings.Replace(d.Get(signature), "v1.0:", "v1.2:", 1))
		}, duplicate),
		change("user agent", func(d harness.Delivery) harness.Delivery { return d.With("User-Agent", "McEasyWebhookService/9") }, duplicate),
		change("occurrence changed", func(d harness.Delivery) harness.Delivery { return d.With(occurrence, "99999999") }, conflict),
		change("occurrence removed", func(d harness.Delivery) harness.Delivery { return d.Without(occurrence) }, conflict),
		change("signed again later", func(d harness.Delivery) harness.Delivery {
			return harness.McEasy(string(d.Body), now.Add(1500*time.Millisecond), "6", d.Get(occurrence))
		}, duplicate),
		change("occurrence with another body", func(d harness.Delivery) harness.Delivery {
			return harness.McEasy(body("the other body"), now, "6", d.Get(occurrence))
		}, conflict),
		change("occurrence with another event", func(d harness.Delivery) harness.Delivery {
			return harness.McEasy(string(d.Body), now, "7", d.Get(occurrence))
		}, conflict),
	}
}

func cryptrReplays(now time.Time) []replay {
	const signature = "Cryptr-Signature"
	change := func(name string, change func(string) string) replay {
		d := harness.Cryptr(`{"cryptr":"`+name+`"}`, now)
		return replay{"cryptr " + name, d, d.With(signature, change(d.Get(signature))), duplicate}
	}
	elements := func(value string) (string, string) {
		t, v1, _ := strings.Cut(value, ",")
		return t, v1
	}
	again := harness.Cryptr(`{"cryptr":"signed again"}`, now)
	return []replay{
		change("unchanged", func(v string) string { return v }),
		change("order", func(v string) string { t, v1 := elements(v); return v1 + "," + t }),
		change("blanks", func(v string) string { t, v1 := elements(v); return t + "  " + v1 }),
		change("trailing comma", func(v string) string { return v + "," }),
		change("unknown element", func(v string) string { return v + ",v9=whatever" }),
		change("useless v0", func(v string) string { return v + ",v0=sha256." + strings.Repeat("0", 64) }),
		change("prefix dropped", func(v string) string { return strings.Replace(v, "sha256.", "", 1) }),
		change("hex case", func(v string) string {
			t, mac, _ := strings.Cut(v, "sha256.")
			return t + "sha256." + strings.ToUpper(mac)
		}),
		{"cryptr signed again", again, harness.Cryptr(string(again.Body), now.Add(-90*time.Second)), duplicate},
	}
}

// TestReplayOptions tests the options that an operator can choose.
func TestReplayOptions(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/key-delivery", "cryptr", app.Addr, "provider key-delivery", "replay memory {\nkey delivery\n}"),
		harness.Hook("/duplicate-reject", "craneops", app.Addr, "provider duplicate-reject", "on_duplicate reject"),
		harness.Hook("/conflict-forward", "craneops", app.Addr, "provider conflict-forward", "on_conflict forward"),
		harness.Hook("/off", "craneops", app.Addr, "provider off", "replay off"),
		harness.Hook("/one/shared", "craneops", app.Addr, "provider shared"),
		harness.Hook("/two/shared", "craneops", app.Addr, "provider shared"),
		harness.Hook("/one/own", "craneops", app.Addr, "provider own-1"),
		harness.Hook("/two/own", "craneops", app.Addr, "provider own-2"),
		harness.Hook("/forgets", "craneops", app.Addr, "provider forgets", "replay memory {\nsize 1\n}"),
	), harness.Secrets()...)
	now := time.Now()
	first := harness.CraneOps(`{"options":1}`)
	other := first.With("X-CraneOps-Event", "booking.cancelled")
	refused := func(t *testing.T, a harness.Answer) {
		t.Helper()
		a.Is(t, http.StatusConflict, "duplicate", "duplicate")
	}

	steps := []struct {
		name string
		sent harness.Delivery
		want func(*testing.T, harness.Answer)
	}{
		{"key delivery first", harness.Cryptr("{}", now).To("/key-delivery"), accepted},
		{"key delivery unchanged", harness.Cryptr("{}", now).To("/key-delivery"), duplicate},
		{"key delivery signed again", harness.Cryptr("{}", now.Add(-9*time.Second)).To("/key-delivery"), accepted},
		{"duplicate reject first", first.To("/duplicate-reject"), accepted},
		{"duplicate reject again", first.To("/duplicate-reject"), refused},
		{"conflict forward first", first.To("/conflict-forward"), accepted},
		{"conflict forward other event", other.To("/conflict-forward"), accepted},
		{"conflict forward other event again", other.To("/conflict-forward"), duplicate},
		{"conflict forward first again", first.To("/conflict-forward"), duplicate},
		{"off first", first.To("/off"), accepted},
		{"off again", first.To("/off"), accepted},
		{"shared label first", first.To("/one/shared"), accepted},
		{"shared label at the other", first.To("/two/shared"), duplicate},
		{"own label first", first.To("/one/own"), accepted},
		{"own label at the other", first.To("/two/own"), accepted},
		{"full first", first.To("/forgets"), accepted},
		{"full again", first.To("/forgets"), duplicate},
		{"full second", harness.CraneOps(`{"options":2}`).To("/forgets"), accepted},
		{"full first forgotten", first.To("/forgets"), accepted},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) { s.want(t, g.Send(t, s.sent)) })
	}
	if got := app.With("/conflict-forward"); len(got) != 2 || got[0].Header.Get("Webhook-Id") == got[1].Header.Get("Webhook-Id") {
		t.Error("a conflict that is forwarded must be an event of its own, with its own Webhook-Id")
	}
}
