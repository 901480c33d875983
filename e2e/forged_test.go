package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// marker is the value that a sender writes into headers that only the gateway
// may set.
const marker = "forged-by-the-sender"

var forgedNames = []string{
	"Webhook-Verdict", "Webhook-Provider", "Webhook-Id", "Webhook-Event", "Webhook-Sent-At",
	"Webhook-Occurred-At", "Webhook-Tenant", "Webhook-Environment", "Webhook-Occurrence-Id",
	"Webhook-Unsigned-Event", "Webhook-Timestamp", "Webhook-Signature", "Webhook-Anything",
	"webhook-lower", "WEBHOOK-UPPER", "Webhook-", "Webhook_Id", "Webhook.Id",
}

func forgedLines() []string {
	var lines []string
	for _, name := range forgedNames {
		lines = append(lines, name+": "+marker)
	}
	return lines
}

// genuine asserts that the headers that the gateway sets contain nothing from
// the sender.
func genuine(t *testing.T, r harness.Received) {
	t.Helper()
	for _, headers := range []http.Header{r.Header, r.Trailer} {
		for name, values := range headers {
			if strings.Contains(strings.Join(values, " "), marker) {
				t.Errorf("the application received %s: %v", name, values)
			}
		}
	}
	if len(r.Trailer) > 0 {
		t.Errorf("the application received the trailers %v", r.Trailer)
	}
}

// forgery is a request that tries to bring unsigned values to the application.
// d is its authentic part.
type forgery struct {
	name string
	text func(d harness.Delivery) string
}

func forgeryWays() []forgery {
	trailers := "Trailer: Webhook-Id, Webhook-Verdict, X-Extra"
	announced := []string{"Webhook-Id: " + marker, "Webhook-Verdict: " + marker, "X-Extra: " + marker}
	connection := "Connection: close, %s, Content-Type, Webhook-Verdict, Webhook-Provider, Webhook-Id, Content-Length"
	return []forgery{
		{"headers", func(d harness.Delivery) string { return d.Whole(forgedLines()...) }},
		{"trailers", func(d harness.Delivery) string { return d.Chunked([]string{trailers}, announced...) }},
		{"unannounced trailers", func(d harness.Delivery) string { return d.Chunked(nil, announced...) }},
		{"trailers of an announced nothing", func(d harness.Delivery) string { return d.Chunked([]string{trailers}) }},
		{"connection tokens", func(d harness.Delivery) string {
			return d.Whole(fmt.Sprintf(connection, d.Headers[len(d.Headers)-1].Name))
		}},
		{"connection tokens in two headers", func(d harness.Delivery) string {
			return d.Whole("Connection: keep-alive, content-type", "Connection: "+d.Headers[len(d.Headers)-1].Name)
		}},
		{"upgrade", func(d harness.Delivery) string { return d.Whole("Connection: Upgrade", "Upgrade: websocket") }},
		{"upgrade and more", func(d harness.Delivery) string {
			return d.Whole("Connection: keep-alive, Upgrade, Content-Type", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
		}},
	}
}

// TestForgedHeaders: the application receives the signed delivery and the
// gateway's headers, whatever else the sender adds.
func TestForgedHeaders(t *testing.T) {
	t.Parallel()
	g, app := allProviders(t, "replay off")
	for _, p := range harness.Providers() {
		for _, f := range forgeryWays() {
			t.Run(p.Name+"/"+f.name, func(t *testing.T) {
				d := p.Deliver(`{"forged":"headers"}`)
				d.Path += "?forged=" + strings.ReplaceAll(f.name, " ", "-")
				g.Exchange(t, f.text(d)).Accepted(t)
				got := app.With(d.Path)
				if len(got) != 1 {
					t.Fatalf("the application received it %d times", len(got))
				}
				got[0].Carries(t, d)
				genuine(t, got[0])
				if v := got[0].Header.Get("Webhook-Verdict"); v != "accepted" {
					t.Errorf("Webhook-Verdict is %q", v)
				}
				if v := got[0].Header.Get("Upgrade"); v != "" {
					t.Errorf("the application was asked for an upgrade to %s", v)
				}
			})
		}
	}
}

// TestForgedHeadersInErrors: an application behind handle_errors sees refused
// requests, but nothing that the sender made up.
func TestForgedHeadersInErrors(t *testing.T) {
	t.Parallel()
	app, failures := harness.NewApplication(t), harness.NewApplication(t)
	failures.Answers(harness.Status(http.StatusTeapot))
	g := harness.Start(t, harness.BareSite(
		harness.Hook("/craneops", "craneops", app.Addr),
		"respond 404",
		"handle_errors {\nreverse_proxy "+failures.Addr+"\n}",
	), harness.Secrets()...)
	forged := harness.CraneOps(`{"forged":true}`).With("X-CraneOps-Signature", strings.Repeat("0", 64))
	spoilt := map[string]harness.Delivery{
		"mismatch":  forged,
		"missing":   forged.Without("X-CraneOps-Signature"),
		"malformed": forged.With("X-CraneOps-Signature", "no hex"),
		"method":    forged.By(http.MethodPut),
	}
	for why, d := range spoilt {
		for _, f := range forgeryWays() {
			t.Run(why+"/"+f.name, func(t *testing.T) {
				d := d.To("/craneops?why=" + why + "&forged=" + strings.ReplaceAll(f.name, " ", "-"))
				if a := g.Exchange(t, f.text(d)); a.Status != http.StatusTeapot {
					t.Errorf("answered %d", a.Status)
				}
				got := failures.With(d.Path)
				if len(got) != 1 {
					t.Fatalf("the error service received it %d times", len(got))
				}
				genuine(t, got[0])
				got[0].Carries(t, d.Saying(nil))
				for name, values := range got[0].Header {
					if strings.HasPrefix(name, "Webhook-") {
						t.Errorf("the error service received %s: %v", name, values)
					}
				}
				if v := got[0].Header.Get("Upgrade"); v != "" {
					t.Errorf("the error service was asked for an upgrade to %s", v)
				}
			})
		}
	}
	app.Saw(t, 0)
}

// TestFailureInErrors: an application behind handle_errors also receives
// deliveries that were accepted but not answered. Its answer is not recorded,
// so it gets neither the body nor the accepted verdict; otherwise a captured
// delivery could reach it repeatedly.
func TestFailureInErrors(t *testing.T) {
	t.Parallel()
	app, failures := harness.NewApplication(t), harness.NewApplication(t)
	failures.Answers(harness.Status(http.StatusTeapot))
	app.Answers(harness.HangUp)
	g := harness.Start(t, harness.BareSite(
		harness.Hook("/craneops", "craneops", app.Addr),
		harness.Route("/nothing", harness.Verify("craneops", "CRANEOPS_SECRET", "provider nothing")),
		"handle_errors {\nreverse_proxy "+failures.Addr+"\n}",
	), harness.Secrets()...)
	for _, path := range []string{"/craneops", "/nothing"} {
		t.Run(path, func(t *testing.T) {
			d := harness.CraneOps(`{"failed":true}`).To(path)
			if a := g.Exchange(t, d.Whole(forgedLines()...)); a.Status != http.StatusTeapot {
				t.Errorf("answered %d", a.Status)
			}
			got := failures.With(path)
			if len(got) != 1 {
				t.Fatalf("the error service received it %d times", len(got))
			}
			genuine(t, got[0])
			if v := got[0].Header.Get("Webhook-Verdict"); v != "" || len(got[0].Body) != 0 {
				t.Errorf("%d bytes that are said to be %q", len(got[0].Body), v)
			}
		})
	}
}

// TestNoTunnel: an application that answers 101 anyway gets no connection to
// the sender.
func TestNoTunnel(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	heard := make(chan string, 1)
	app.Answers(func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			heard <- err.Error()
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
		_, _ = buffered.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n")
		_ = buffered.Flush()
		line, _ := buffered.ReadString('\n')
		heard <- line
	})
	w := g.Dial(t)
	w.Write(t, harness.CraneOps(`{}`).Whole("Connection: Upgrade", "Upgrade: websocket"), "unverified\n")
	a, err := w.Read()
	if err == nil && (a.Status == http.StatusSwitchingProtocols || a.Status < http.StatusBadRequest) {
		t.Errorf("answered %d", a.Status)
	}
	if said := <-heard; said != "" {
		t.Errorf("the application heard %q from the sender", said)
	}
}
