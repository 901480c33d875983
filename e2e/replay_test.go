package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
)

func duplicate(t *testing.T, a answer) { t.Helper(); a.duplicate(t) }
func conflict(t *testing.T, a answer)  { t.Helper(); a.rejected(t, "conflict") }
func accepted(t *testing.T, a answer)  { t.Helper(); a.accepted(t) }

// TestReplay sends a delivery and then a replay of it in which only what is not
// signed has changed. The bodies differ from case to case, and so no case meets
// the history of another.
func TestReplay(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(
		hook("/easytools", "easytools", app.addr),
		hook("/craneops", "craneops", app.addr),
		hook("/mceasy", "mceasy", app.addr),
		hook("/cryptr", "cryptr", app.addr),
	), secrets()...)
	for _, c := range replays(time.Now()) {
		t.Run(c.name, func(t *testing.T) {
			g.send(t, c.first).accepted(t)
			c.want(t, g.send(t, c.again))
			// A refused replay changes nothing: the same delivery is still a duplicate.
			g.send(t, c.first).duplicate(t)
			if n := app.countBody(c.first.body); n != 1 {
				t.Errorf("the application received the first %d times", n)
			}
			if !bytes.Equal(c.first.body, c.again.body) && app.countBody(c.again.body) != 0 {
				t.Error("the second reached the application")
			}
		})
	}
}

type replay struct {
	name         string
	first, again delivery
	want         func(*testing.T, answer)
}

func replays(now time.Time) []replay {
	return append(append(bodySignedReplays(), mceasyReplays(now)...), cryptrReplays(now)...)
}

func bodySignedReplays() []replay {
	const signature = "X-CraneOps-Signature"
	crane := func(name string, change func(delivery) delivery, want func(*testing.T, answer)) replay {
		d := craneops(`{"craneops":"` + name + `"}`)
		return replay{"craneops " + name, d, change(d), want}
	}
	shop := easytools(`{"easytools":"hex case"}`)
	return []replay{
		{"easytools hex case", shop, shop.with("X-Webhook-Signature", strings.ToUpper(shop.get("X-Webhook-Signature"))), duplicate},
		crane("unchanged", func(d delivery) delivery { return d }, duplicate),
		crane("hex case", func(d delivery) delivery { return d.with(signature, strings.ToUpper(d.get(signature))) }, duplicate),
		crane("other path", func(d delivery) delivery { return d.to("/craneops/somewhere/else") }, duplicate),
		crane("other query", func(d delivery) delivery { return d.to("/craneops?attempt=2") }, duplicate),
		crane("other content type", func(d delivery) delivery { return d.with("Content-Type", "text/plain") }, duplicate),
		crane("event changed", func(d delivery) delivery { return d.with("X-CraneOps-Event", "booking.cancelled") }, conflict),
		crane("event removed", func(d delivery) delivery { return d.without("X-CraneOps-Event") }, conflict),
	}
}

func mceasyReplays(now time.Time) []replay {
	const (
		signature  = "X-McEasyWebhook-Signature"
		occurrence = "X-McEasyWebhook-Occurrence-ID"
	)
	body := func(name string) string { return `{"mceasy":"` + name + `"}` }
	change := func(name string, change func(delivery) delivery, want func(*testing.T, answer)) replay {
		d := mceasy(body(name), now, "6", "occurrence-"+strings.ReplaceAll(name, " ", "-"))
		return replay{"mceasy " + name, d, change(d), want}
	}
	return []replay{
		change("unchanged", func(d delivery) delivery { return d }, duplicate),
		change("version label", func(d delivery) delivery {
			return d.with(signature, strings.Replace(d.get(signature), "v1.0:", "v1.2:", 1))
		}, duplicate),
		change("user agent", func(d delivery) delivery { return d.with("User-Agent", "McEasyWebhookService/9") }, duplicate),
		change("occurrence changed", func(d delivery) delivery { return d.with(occurrence, "99999999") }, conflict),
		change("occurrence removed", func(d delivery) delivery { return d.without(occurrence) }, conflict),
		change("signed again later", func(d delivery) delivery {
			return mceasy(string(d.body), now.Add(1500*time.Millisecond), "6", d.get(occurrence))
		}, duplicate),
		change("occurrence with another body", func(d delivery) delivery {
			return mceasy(body("the other body"), now, "6", d.get(occurrence))
		}, conflict),
		change("occurrence with another event", func(d delivery) delivery {
			return mceasy(string(d.body), now, "7", d.get(occurrence))
		}, conflict),
	}
}

func cryptrReplays(now time.Time) []replay {
	const signature = "Cryptr-Signature"
	change := func(name string, change func(string) string) replay {
		d := cryptr(`{"cryptr":"`+name+`"}`, now)
		return replay{"cryptr " + name, d, d.with(signature, change(d.get(signature))), duplicate}
	}
	elements := func(value string) (string, string) {
		t, v1, _ := strings.Cut(value, ",")
		return t, v1
	}
	again := cryptr(`{"cryptr":"signed again"}`, now)
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
		{"cryptr signed again", again, cryptr(string(again.body), now.Add(-90*time.Second)), duplicate},
	}
}

// TestReplayOptions is for what an operator can choose.
func TestReplayOptions(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(
		hook("/key-delivery", "cryptr", app.addr, "provider key-delivery", "replay memory {\nkey delivery\n}"),
		hook("/duplicate-reject", "craneops", app.addr, "provider duplicate-reject", "on_duplicate reject"),
		hook("/conflict-forward", "craneops", app.addr, "provider conflict-forward", "on_conflict forward"),
		hook("/off", "craneops", app.addr, "provider off", "replay off"),
		hook("/one/shared", "craneops", app.addr, "provider shared"),
		hook("/two/shared", "craneops", app.addr, "provider shared"),
		hook("/one/own", "craneops", app.addr, "provider own-1"),
		hook("/two/own", "craneops", app.addr, "provider own-2"),
		hook("/forgets", "craneops", app.addr, "provider forgets", "replay memory {\nsize 1\n}"),
	), secrets()...)
	now := time.Now()
	first := craneops(`{"options":1}`)
	other := first.with("X-CraneOps-Event", "booking.cancelled")
	refused := func(t *testing.T, a answer) { t.Helper(); a.is(t, http.StatusConflict, "duplicate", "duplicate") }

	steps := []struct {
		name string
		sent delivery
		want func(*testing.T, answer)
	}{
		{"key delivery first", cryptr("{}", now).to("/key-delivery"), accepted},
		{"key delivery unchanged", cryptr("{}", now).to("/key-delivery"), duplicate},
		{"key delivery signed again", cryptr("{}", now.Add(-9*time.Second)).to("/key-delivery"), accepted},
		{"duplicate reject first", first.to("/duplicate-reject"), accepted},
		{"duplicate reject again", first.to("/duplicate-reject"), refused},
		{"conflict forward first", first.to("/conflict-forward"), accepted},
		{"conflict forward other event", other.to("/conflict-forward"), accepted},
		{"conflict forward other event again", other.to("/conflict-forward"), duplicate},
		{"conflict forward first again", first.to("/conflict-forward"), duplicate},
		{"off first", first.to("/off"), accepted},
		{"off again", first.to("/off"), accepted},
		{"shared label first", first.to("/one/shared"), accepted},
		{"shared label at the other", first.to("/two/shared"), duplicate},
		{"own label first", first.to("/one/own"), accepted},
		{"own label at the other", first.to("/two/own"), accepted},
		{"full first", first.to("/forgets"), accepted},
		{"full again", first.to("/forgets"), duplicate},
		{"full second", craneops(`{"options":2}`).to("/forgets"), accepted},
		{"full first forgotten", first.to("/forgets"), accepted},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) { s.want(t, g.send(t, s.sent)) })
	}
	if got := app.with("/conflict-forward"); len(got) != 2 || got[0].header.Get("Webhook-Id") == got[1].header.Get("Webhook-Id") {
		t.Error("a conflict that is forwarded must be an event of its own, with its own Webhook-Id")
	}
}
