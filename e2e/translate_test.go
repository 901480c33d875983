package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestTranslatedHeaders asserts all Webhook- headers that the application gets:
// those of the contract and no other.
func TestTranslatedHeaders(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/easytools", "easytools", app.Addr, "provider shop"),
		harness.Hook("/craneops", "craneops", app.Addr),
		harness.Hook("/mceasy", "mceasy", app.Addr),
		harness.Hook("/cryptr", "cryptr", app.Addr),
	), harness.Secrets()...)
	now := time.Now()
	const (
		easytoolsBody = `{"event":"product_assigned","timestamp":1741442518}`
		craneopsBody  = `{"event":"crane.updated","id":1}`
		mceasyBody    = `{"event_time":1,"event_id":6,"event_name":"Harsh Braking!","event_type":"ALARM"}`
		cryptrBody    = `{"__domain__":"shark-academy","__environment__":"sandbox","code":"dir_sync.user.update.success","issued_at":"2023-10-17T08:12:38.113207Z"}`
	)
	cases := []struct {
		name string
		sent harness.Delivery
		want map[string]string
	}{
		{"easytools", harness.Easytools(easytoolsBody), map[string]string{
			"Webhook-Provider": "shop", "Webhook-Id": contentID("shop", easytoolsBody),
			"Webhook-Event": "product_assigned", "Webhook-Occurred-At": "2025-03-08T14:01:58Z",
		}},
		{"craneops", harness.CraneOps(craneopsBody), map[string]string{
			"Webhook-Provider": "craneops", "Webhook-Id": contentID("craneops", craneopsBody),
			"Webhook-Event": "crane.updated", "Webhook-Unsigned-Event": "booking.created",
		}},
		{"mceasy", harness.McEasy(mceasyBody, now, "6", "48213"), map[string]string{
			"Webhook-Provider": "mceasy", "Webhook-Id": contentID("mceasy", "6\x00"+mceasyBody),
			"Webhook-Event": "alarm.harsh_braking_", "Webhook-Occurrence-Id": "48213",
			"Webhook-Sent-At": now.UTC().Format("2006-01-02T15:04:05.000Z"),
		}},
		{"cryptr", harness.Cryptr(cryptrBody, now), map[string]string{
			"Webhook-Provider": "cryptr", "Webhook-Id": contentID("cryptr", cryptrBody),
			"Webhook-Event": "dir_sync.user.update.success", "Webhook-Occurred-At": "2023-10-17T08:12:38.113207Z",
			"Webhook-Tenant": "shark-academy", "Webhook-Environment": "sandbox",
			"Webhook-Sent-At": now.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z"),
		}},
		{"not JSON", harness.CraneOps("not JSON"), map[string]string{
			"Webhook-Provider": "craneops", "Webhook-Id": contentID("craneops", "not JSON"),
			"Webhook-Unsigned-Event": "booking.created",
		}},
		{"mceasy not JSON", harness.McEasy("not JSON", now, "7", "48214"), map[string]string{
			"Webhook-Provider": "mceasy", "Webhook-Id": contentID("mceasy", "7\x00not JSON"),
			"Webhook-Event": "7", "Webhook-Occurrence-Id": "48214",
			"Webhook-Sent-At": now.UTC().Format("2006-01-02T15:04:05.000Z"),
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := c.sent.To(c.sent.Path + "?case=" + strings.ReplaceAll(c.name, " ", "-"))
			g.Send(t, d).Accepted(t)
			got := app.With(d.Path)
			if len(got) != 1 {
				t.Fatalf("the application received it %d times", len(got))
			}
			c.want["Webhook-Verdict"] = "accepted"
			if have := translated(got[0].Header); !maps.Equal(have, c.want) {
				t.Errorf("the application received\n%v, not\n%v", have, c.want)
			}
		})
	}
}

func translated(h http.Header) map[string]string {
	found := map[string]string{}
	for name, values := range h {
		if strings.HasPrefix(name, "Webhook-") {
			found[name] = strings.Join(values, " | ")
		}
	}
	return found
}

// contentID returns the Webhook-Id of a delivery whose provider signs no id.
func contentID(label, content string) string {
	sum := sha256.Sum256([]byte(label + "\x00" + content))
	return "sha256-" + hex.EncodeToString(sum[:16])
}

// TestUnfitValues: values that could mislead a reader of the headers are left
// out. The body and the provider's own headers are not changed.
func TestUnfitValues(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	long := strings.Repeat("e", 257)
	bodies := map[string]string{
		"line break":     `{"event":"a\r\nWebhook-Verdict: x"}`,
		"nul":            `{"event":"a\u0000b"}`,
		"delete":         `{"event":"a\u007fb"}`,
		"too long":       `{"event":"` + long + `"}`,
		"twice":          `{"event":"one","event":"two"}`,
		"a number":       `{"event":7}`,
		"more behind it": `{"event":"a"} {"event":"b"}`,
		"cut":            `{"event":"a"`,
		"in a list":      `[{"event":"a"}]`,
		"empty":          `{"event":""}`,
		"deeper":         `{"data":{"event":"a"}}`,
		"bom":            "\ufeff" + `{"event":"a"}`,
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			d := harness.CraneOps(body).To("/craneops?value="+strings.ReplaceAll(name, " ", "-")).With("X-CraneOps-Event", long)
			g.Send(t, d).Accepted(t)
			got := app.With(d.Path)
			if len(got) != 1 {
				t.Fatalf("the application received it %d times", len(got))
			}
			got[0].Carries(t, d)
			want := map[string]string{
				"Webhook-Verdict": "accepted", "Webhook-Provider": "craneops",
				"Webhook-Id": contentID("craneops", body),
			}
			if have := translated(got[0].Header); !maps.Equal(have, want) {
				t.Errorf("the application received\n%v, not\n%v", have, want)
			}
		})
	}
}

// TestURI: nothing rewrites the URI of the provider's request.
func TestURI(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "replay off")
	for _, uri := range []string{
		"/craneops", "/craneops/", "/craneops//twice///", "/craneops/a%2Fb%2fc", "/craneops/a%20b+c",
		"/craneops/%C5%BC", "/craneops/x?", "/craneops?a=1&a=2&b", "/craneops?a=%20+%2B&c=%C5%BC", "/craneops?a=1;b=2",
		"/craneops?http://x/y?z", "/craneops/a:b@c,d;e=f", "/craneops?%zz=%",
	} {
		t.Run(uri, func(t *testing.T) {
			d := harness.CraneOps(`{}`).To(uri)
			g.Exchange(t, d.Whole()).Accepted(t)
			got := app.All()
			if len(got) == 0 {
				t.Fatal("the application received nothing")
			}
			got[len(got)-1].Carries(t, d)
		})
	}
}

// TestPlaceholders asserts what later handlers and handle_errors can read.
func TestPlaceholders(t *testing.T) {
	t.Parallel()
	show := `{http.verify_webhook.verdict}|{http.verify_webhook.reason}|{http.verify_webhook.provider}|` +
		`{http.verify_webhook.event}|{http.verify_webhook.id}|{http.verify_webhook.occurrence_id}|` +
		`{http.verify_webhook.unsigned_event}|{http.verify_webhook.key}|{http.verify_webhook.sent_at}|{http.verify_webhook.age}`
	g := harness.Start(t, harness.BareSite(
		harness.Route("/mceasy", `verify_webhook mceasy b2xkLWNhbmFyeS1vZi1lMmU= {env.MCEASY_SECRET}`, `respond "`+show+`"`),
		harness.Route("/craneops", harness.Verify("craneops", "CRANEOPS_SECRET"), `respond "`+show+`"`),
		"handle_errors {\nrespond \""+show+"\" {http.error.status_code}\n}",
	), harness.Secrets()...)
	now := time.Now()
	cases := []struct {
		name string
		sent harness.Delivery
		want string
	}{
		{
			"mceasy", harness.McEasy("{}", now, "6", "48213"),
			`accepted\|\|mceasy\|6\|` + contentID("mceasy", "6\x00{}") + `\|48213\|\|2\|` +
				regexp.QuoteMeta(now.UTC().Format("2006-01-02T15:04:05.000Z")) + `\|\d+(\.\d+)?`,
		},
		{
			"craneops", harness.CraneOps("{}"),
			`accepted\|\|craneops\|\|` + contentID("craneops", "{}") + `\|\|booking.created\|1\|\|`,
		},
		{
			"forged", harness.CraneOps("{}").Saying([]byte("{ }")),
			`rejected\|signature_mismatch\|craneops\|\|\|\|\|\|\|`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			said := string(g.Send(t, c.sent).Body)
			// respond writes an unset placeholder unchanged or as an empty
			// string.
			said = regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(said, "")
			if !regexp.MustCompile(`^` + c.want + `$`).MatchString(said) {
				t.Errorf("answered %s, not %s", said, c.want)
			}
		})
	}
}
