package inspector

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
)

func get(p *Page, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/"+path, nil))
	return w
}

// TestDelivery checks that the page of a delivery shows its verdict, reason,
// explanation, headers, body, attempts and buttons.
func TestDelivery(t *testing.T) {
	refusedOne := one()
	refusedOne.Verdict, refusedOne.Reason, refusedOne.ID, refusedOne.Status, refusedOne.Application = "rejected", "signature_mismatch", "", 401, 0
	explained := refusedOne
	explained.ExplainedBy, explained.WhatToDo = "the body ends with a line feed", "sign the bytes that are sent"
	bare := refusedOne
	bare.Captured, bare.URI, bare.Headers, bare.Body = false, "", nil, nil
	again := one()
	again.Number = 6
	kept := one()
	kept.Inbox, kept.Application = "kept", 503

	for name, c := range map[string]struct {
		gateway *gateway
		says    []string
		not     []string
	}{
		"arrived": {
			&gateway{deliveries: []delivery{one()}},
			[]string{"<h1>Arrived</h1>", `action="deliver"`, `action="allow"`, `action="erase"`, "evt_1", "t=1,v1=00", "POST"},
			[]string{`action="rejudge"`, "To do", "Attempts of this event", `action="retry"`},
		},
		"refused": {
			&gateway{deliveries: []delivery{refusedOne}},
			[]string{"Refused, and not passed on", "None of the configured secrets", `action="rejudge"`, "--secret env:STRIPE_SECRET"},
			[]string{`action="deliver"`, `action="allow"`, "Found in this delivery"},
		},
		"explained": {
			&gateway{deliveries: []delivery{explained}},
			[]string{"The body ends with a line feed.", "Sign the bytes that are sent.", "Found in this delivery"},
			[]string{"None of the configured secrets"},
		},
		"not captured": {
			&gateway{deliveries: []delivery{bare}},
			[]string{"kept neither headers nor body"},
			[]string{"<h2>Headers", "<h2>Body", "headers.txt", `action="rejudge"`, `action="erase"`},
		},
		"attempts": {
			&gateway{deliveries: []delivery{one(), again}},
			[]string{"Attempts of this event", "7, this one", `<a href="6">6</a>`},
			nil,
		},
		"in the inbox": {
			&gateway{deliveries: []delivery{kept}, inbox: []entry{{Provider: "stripe", ID: "evt_1", State: "waiting", Attempts: 2, LastStatus: 503}}},
			[]string{"Kept in the inbox", `action="retry"`, `action="drop"`, "waiting, after 2 attempts"},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			page := get(c.gateway.page(), "7").Body.String()
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
	if w := (&gateway{}).get("7"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "forgotten") {
		t.Errorf("an unknown number: %d %s", w.Code, w.Body)
	}
}

// TestSave checks that headers and body are saved byte for byte, and never
// displayed as a page.
func TestSave(t *testing.T) {
	d := one()
	d.Body = []byte("<!doctype html><script>x()</script>\r\n\x00\xff")
	d.Headers["X-Two"] = []string{"a", "b\r\nInjected: c"}
	d.Headers["Host"] = []string{"hooks.example.com"}
	d.URL = "https://hooks.example.com/hook?x=1"
	g := &gateway{deliveries: []delivery{d}}
	for name, want := range map[string]string{
		"body.json":   string(d.Body),
		"headers.txt": "Request URL: https://hooks.example.com/hook?x=1\nRequest method: POST\nAuthorization: Bearer x\nHost: hooks.example.com\nStripe-Signature: t=1,v1=00\nX-Two: a\nX-Two: b  Injected: c\n",
	} {
		w := g.get(name + "?number=7")
		if w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
		h := w.Header()
		if h.Get("Content-Type") != "application/octet-stream" || h.Get("Content-Disposition") != `attachment; filename="`+name+`"` || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", name, h)
		}
	}
	g.deliveries[0].Captured = false
	if w := g.get("body.json?number=7"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "not captured") {
		t.Errorf("not captured: %d %s", w.Code, w.Body)
	}
}

// TestQuotedForShell checks that sh reads each quoted word unchanged, whatever
// it contains.
func TestQuotedForShell(t *testing.T) {
	words := []string{
		"plain", "", "it's", "a b", "$(touch /tmp/x)", "`x`", "\\", "\"", "a\nb", "*", "~", "#x", ";reboot", "&&", "--", "-e",
		"'\\''", "!x", "{a,b}", "é\u202e", "env:A_B", "https://a.example/x?a=1&b=2", "%s", "=x",
	}
	var script strings.Builder
	script.WriteString("printf '%s\\000'")
	for _, word := range words {
		script.WriteString(" " + quoteForShell(word))
	}
	said, err := exec.Command("sh", "-c", script.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(words, "\x00") + "\x00"; string(said) != want {
		t.Errorf("sh reads %q, want %q", said, want)
	}
}

func TestVerifyCommand(t *testing.T) {
	d := one()
	d.Provider = "shop-eu"
	if got, want := verifyCommand(&d), "hooklatch webhook verify --scheme stripe --secret env:SHOP_EU_SECRET --headers headers.txt --at 2026-01-31T12:00:00Z body.json"; got != want {
		t.Errorf("%s", got)
	}
	d.Scheme, d.Provider = "twilio", "9; rm -rf"
	d.URL = "https://a.example/hook?x=1"
	if got, want := verifyCommand(&d), "hooklatch webhook verify --scheme twilio --secret env:_9__RM__RF_SECRET --headers headers.txt --at 2026-01-31T12:00:00Z --url 'https://a.example/hook?x=1' body.json"; got != want {
		t.Errorf("%s", got)
	}
	d.Scheme = "my'own"
	if got := verifyCommand(&d); !strings.Contains(got, `--definition 'my'\''own.txt'`) {
		t.Errorf("%s", got)
	}
}

// TestBodyViews checks the three views of a body, in which invisible characters
// are made visible.
func TestBodyViews(t *testing.T) {
	body := []byte("{\"a\":\"x\u200by\", \t\r\n \"n\":12345678901234567890.10,\"n\":2,\"l\":[null,true,[],{}]}  \n")
	text := newBodyView(body, "")
	if len(text.Lines) != 2 || text.Lines[0].End != `\r\n` || text.Lines[1].End != `\n` {
		t.Errorf("%+v", text.Lines)
	}
	var shown strings.Builder
	for _, l := range text.Lines {
		for _, p := range l.Pieces {
			shown.WriteString(p.Text)
		}
	}
	if want := `{"a":"x\u200by", \t "n":12345678901234567890.10,"n":2,"l":[null,true,[],{}]}··`; shown.String() != want {
		t.Errorf("%s", shown.String())
	}

	tree := newBodyView(body, "tree").Tree
	if tree == nil || len(tree.Children) != 4 || tree.Children[1].Text != "12345678901234567890.10" || *tree.Children[2].Name != "n" || tree.Children[3].Children[0].Text != "null" {
		t.Errorf("%+v", tree)
	}
	rows := newBodyView(append(bytes.Repeat([]byte("a"), 16), 0, 0xff), "bytes").Bytes
	if len(rows) != 2 || rows[0].Hex != "61 61 61 61 61 61 61 61  61 61 61 61 61 61 61 61" || rows[1] != (byteLine{"000010", "00 ff", ".."}) {
		t.Errorf("%+v", rows)
	}
	for _, c := range []struct{ body, says string }{
		{`{"a":`, "not JSON"}, {`{} {}`, "not JSON"}, {"a=b&c=d", "not JSON"}, {"", "not JSON"}, {`{"a" 1}`, "goes wrong at byte"},
	} {
		if v := newBodyView([]byte(c.body), "tree"); v.Tree != nil || !strings.Contains(v.Trees, c.says) {
			t.Errorf("%q: %q", c.body, v.Trees)
		}
	}
	// A body that is huge in any way is shown in part.
	for _, huge := range []string{strings.Repeat("[", 1<<17), "[" + strings.Repeat("1,", 1<<17) + "1]", strings.Repeat("é", 1<<17), strings.Repeat("\n", 1<<17)} {
		for _, view := range []string{"text", "tree", "bytes"} {
			d := one()
			d.Body = []byte(huge)
			w := (&gateway{deliveries: []delivery{d}}).get("7?view=" + view)
			if w.Code != http.StatusOK || w.Body.Len() > 8<<20 {
				t.Errorf("%.10q as %s: %d, %d bytes", huge, view, w.Code, w.Body.Len())
			}
		}
	}
}
