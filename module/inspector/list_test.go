package inspector

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// some returns n deliveries of one label, the newest first and a minute apart.
func some(n int, change func(i int, d *delivery)) []delivery {
	var all []delivery
	for i := range n {
		d := one()
		d.Number, d.Time.Time, d.Captured = uint64(1000+n-i), noon.Add(-time.Duration(i)*time.Minute), false
		change(i, &d)
		all = append(all, d)
	}
	return all
}

// TestAnswer checks that the first screen says which deliveries arrived, which
// did not, why, and what to change.
func TestAnswer(t *testing.T) {
	mismatch := func(d *delivery) {
		d.Verdict, d.Reason, d.Status, d.Application = "rejected", "signature_mismatch", 401, 0
	}
	for name, c := range map[string]struct {
		gateway *gateway
		query   string
		status  int
		says    []string
		not     []string
	}{
		"nothing yet":         {&gateway{}, "", 200, []string{"No delivery has come yet", "webhook send"}, nil},
		"nothing of that id":  {&gateway{deliveries: some(3, func(int, *delivery) {})}, "?id=evt_9", 200, []string{"No delivery matches", "never reached this gateway"}, []string{"webhook send"}},
		"the list is off":     {&gateway{off: true}, "", 200, []string{"remembers no deliveries", "recent 0"}, nil},
		"a wrong filter":      {&gateway{}, "?since=yesterday", 400, []string{"Since: write a duration."}, nil},
		"everything arrived":  {&gateway{deliveries: some(1200, func(int, *delivery) {})}, "", 200, []string{"All 1,200 deliveries arrived", "answer calm", "100 of 1,200 are listed", `href="./?limit=500"`}, []string{"to change</h2>\n<details"}},
		"duplicates are fine": {&gateway{deliveries: some(2, func(_ int, d *delivery) { d.Verdict, d.Reason = "duplicate", "duplicate" })}, "", 200, []string{"All 2 deliveries arrived", "<b>2</b> came again"}, nil},
		"an event that the inbox handed over": {&gateway{deliveries: some(4, func(i int, d *delivery) {
			if i < 3 { // the newest first: the third attempt, the second, and the one that was kept
				d.ID, d.Inbox, d.Attempt = "evt_kept", []string{"redelivered", "again", "kept"}[i], 3-i
				d.Application = []int{200, 503, 0}[i]
			}
		})}, "", 200, []string{"All 2 deliveries arrived", "answer calm"}, []string{"did not arrive"}},
		"an event that still waits": {&gateway{deliveries: some(3, func(i int, d *delivery) {
			if i < 2 {
				d.ID, d.Inbox, d.Application = "evt_kept", []string{"again", "kept"}[i], 0
			}
		})}, "", 200, []string{"1 of 2 deliveries did not arrive", "<b>1</b> kept in the inbox", "no answer"}, nil},
		"a wrong secret": {&gateway{deliveries: some(5, func(i int, d *delivery) {
			if i < 3 {
				mismatch(d)
			}
		})}, "", 200, []string{"3 of 5 deliveries did not arrive", "<b>3×</b>", "None of the configured secrets produces this signature", "Copy the secret of this very endpoint", `href="1005">Open the last one`, "List all 3", "reason=signature_mismatch"}, []string{"others arrived since", "Judge again"}},
		"right again, captured": {&gateway{deliveries: some(5, func(i int, d *delivery) {
			if i > 1 {
				mismatch(d)
				d.Captured = true
			}
		})}, "", 200, []string{"3 of 5 deliveries did not arrive", "others arrived since", "Judge again"}, nil},
		"the hint of one": {&gateway{deliveries: some(1, func(_ int, d *delivery) {
			mismatch(d)
			d.Reason, d.Hint = "missing_signature", "this looks like github: X-Hub-Signature-256 is present"
		})}, "", 200, []string{"The one delivery did not arrive", "This looks like github: X-Hub-Signature-256 is present."}, nil},
		"the application is down": {&gateway{deliveries: some(2, func(i int, d *delivery) {
			if d.Status, d.Application = 502, 502; i > 0 {
				d.Application = 0
			}
		})}, "", 200, []string{"2 of 2 deliveries did not arrive", "which answered 502", "failed at the application"}, nil},
		"kept by the inbox": {&gateway{deliveries: some(1, func(_ int, d *delivery) { d.Application, d.Inbox = 503, "kept" })}, "", 200, []string{"kept in the inbox", "Nothing is lost meanwhile"}, nil},
		"too late":          {&gateway{deliveries: some(1, func(_ int, d *delivery) { d.Reason, d.Application, d.Status = "no_answer", 0, 503 })}, "", 200, []string{"raise answer_within"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.gateway.get(c.query)
			page := w.Body.String()
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			for _, text := range c.says {
				if !strings.Contains(page, text) {
					t.Errorf("it does not say %q", text)
				}
			}
			for _, text := range c.not {
				if strings.Contains(page, text) {
					t.Errorf("it says %q", text)
				}
			}
			if t.Failed() {
				t.Log(page)
			}
		})
	}
}

// TestUnreachable checks that the page says that a gateway cannot be reached.
func TestUnreachable(t *testing.T) {
	page := &Page{Gateway: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the gateway cannot be reached: refused", http.StatusBadGateway)
	})}
	for _, path := range []string{"", "7", "inbox"} {
		w := get(page, path)
		if w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "The gateway cannot be reached: refused.") {
			t.Errorf("%q: %d %s", path, w.Code, w.Body)
		}
	}
	page.Gateway = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) })
	if w := get(page, ""); w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "cannot be read") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	page.Gateway = http.NotFoundHandler()
	if w := get(page, ""); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "no gateway of Hooklatch") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestFilters checks that the filters in the address are sent to the gateway
// and shown in the form.
func TestFilters(t *testing.T) {
	g := &gateway{deliveries: some(3, func(int, *delivery) {})}
	page := g.get("?provider=stripe&verdict=accepted&since=1h&id=evt_1&event=&unknown=x&tenant=acme").Body.String()
	if want := "GET /verify_webhook/deliveries?id=evt_1&limit=1000&provider=stripe&since=1h&tenant=acme&verdict=accepted"; g.asked[0] != want {
		t.Errorf("asked for %s", g.asked[0])
	}
	for _, text := range []string{
		`name="id" value="evt_1"`, `<option value="stripe" selected>stripe`, `<option value="1h" selected>`, `name="tenant" value="acme"`, `name="verdict" value="accepted"`,
		`<a href="./?id=evt_1&amp;provider=stripe&amp;since=1h&amp;tenant=acme&amp;verdict=rejected">Rejected`,
	} {
		if !strings.Contains(page, text) {
			t.Errorf("the page has no %s", text)
		}
	}
	g.get("?limit=5000")
	g.get("?limit=2")
	g.get("?limit=many")
	for i, want := range []string{"5000", "1000", "many"} {
		if got := g.asked[1+i]; !strings.HasSuffix(got, "limit="+want) {
			t.Errorf("asked for %s, want %s", got, want)
		}
	}
}

// TestChart checks that each delivery is in one column, and that rare outcomes
// are visible.
func TestChart(t *testing.T) {
	all := some(400, func(i int, d *delivery) {
		d.Time.Time = noon.Add(-time.Duration(i) * 7 * time.Second)
		if i == 200 {
			d.Verdict = "rejected"
		}
	})
	all[3].Time.Time = noon.Add(time.Hour) // a clock that is ahead
	c := newChart(all, noon)
	sum := map[outcome]int{}
	for _, b := range c.Bars {
		sum[b.Outcome] += b.Count
		if b.X < 0 || b.X+b.W > float64(c.Width) || b.Y < -0.2 || b.H < leastHeight-0.1 || b.Y+b.H > chartHeight+0.2 {
			t.Errorf("a bar is outside: %+v", b)
		}
	}
	if sum[arrived] != 399 || sum[refused] != 1 {
		t.Errorf("it shows %v", sum)
	}
	if c := newChart(nil, noon); len(c.Bars) != 0 {
		t.Error("bars of nothing")
	}
	if c := newChart(all[:1], noon); len(c.Bars) != 1 || c.Bars[0].Count != 1 {
		t.Errorf("one delivery: %+v", c.Bars)
	}
	for _, span := range []time.Duration{0, time.Second, time.Hour, 400 * 24 * time.Hour} {
		if got := roundSlot(span / slots); got < span/slots {
			t.Errorf("%v of %v is too short", got, span)
		}
	}
}

// TestManyReasons checks that many reasons do not push the list off the screen.
func TestManyReasons(t *testing.T) {
	all := some(30, func(i int, d *delivery) {
		d.Provider, d.Verdict, d.Reason = fmt.Sprintf("label%02d", i), "rejected", "stale"
	})
	page := (&gateway{deliveries: all}).get("").Body.String()
	if n := strings.Count(page, `class="group`); n != maxGroups {
		t.Errorf("%d reasons are shown", n)
	}
	if !strings.Contains(page, "24 more reasons") {
		t.Error("the others are not mentioned")
	}
	if n := strings.Count(page, " open>"); n != maxOpen {
		t.Errorf("%d are explained", n)
	}
}
