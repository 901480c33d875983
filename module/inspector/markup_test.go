package inspector

import (
	"html"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// hostile is a text that an attacker may send in any field. It closes every
// context that a template may put it in, and changes the direction of writing.
const hostile = "</td></script><script>x()</script>'\"><img src=x onerror=x()>{{.}}\u202e\x00\x1b[31m\u200b&lt;"

// fill writes a text into every string of a struct.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() || v.Type().Field(i).Anonymous {
				fill(v.Field(i), text)
			}
		}
	case reflect.String:
		v.SetString(text)
	}
}

// hostileDelivery returns a delivery with the text in every field, in the
// headers and in the body.
func hostileDelivery(text string) delivery {
	d := one()
	fill(reflect.ValueOf(&d).Elem(), text)
	d.Headers = http.Header{text: {text}, "X-Other": {text}}
	d.Body = []byte(`{"` + strings.NewReplacer(`"`, `\"`, "\x00", `\u0000`, "\x1b", `\u001b`).Replace(text) + `":"` + strings.NewReplacer(`"`, `\"`, "\x00", `\u0000`, "\x1b", `\u001b`).Replace(text) + `"}`)
	return d
}

// TestMarkup checks that no field, header, body or filter becomes markup on any
// page, and that no invisible character stays invisible.
func TestMarkup(t *testing.T) {
	d := hostileDelivery(hostile)
	e := entry{ReceivedAt: noon}
	fill(reflect.ValueOf(&e).Elem(), hostile)
	for _, verdict := range []string{hostile, "rejected", "accepted", "duplicate"} {
		d.Verdict = verdict
		g := &gateway{deliveries: []delivery{d, d}, inbox: []entry{e}}
		query := "?" + "id=" + url.QueryEscape(hostile) + "&provider=" + url.QueryEscape(hostile) + "&reason=" + url.QueryEscape(hostile) + "&since=" + url.QueryEscape(hostile) + "&after=" + url.QueryEscape(hostile) + "&tenant=" + url.QueryEscape(hostile) + "&event=" + url.QueryEscape(hostile)
		for _, path := range []string{"", query, "7", "7?view=tree", "7?view=bytes", "7?view=" + url.QueryEscape(hostile), "inbox", "inbox?provider=" + url.QueryEscape(hostile)} {
			page := g.get(path).Body.String()
			if !strings.Contains(page, "<main") {
				t.Fatalf("%s is no page:\n%s", path, page)
			}
			for _, raw := range []string{"<script>", "<img src=x", "\u202e", "\u200b", "\x00", "\x1b"} {
				if i := strings.Index(page, raw); i >= 0 && !inValue(page, i) {
					t.Errorf("%s has %q: %q", path, raw, page[max(0, i-80):i+40])
				}
			}
			if strings.Contains(page, "ZgotmplZ") {
				t.Errorf("%s: html/template had to take something out", path)
			}
		}
	}
	page := (&gateway{deliveries: []delivery{d}}).get("7").Body.String()
	if text := html.UnescapeString(page); !strings.Contains(text, "<script>x()</script>") || !strings.Contains(text, `title="U+202E"`) {
		t.Error("the text is not shown")
	}
}

// inValue reports whether a position in a page is within an attribute value,
// where an invisible character does not change the displayed text.
func inValue(page string, i int) bool {
	open := strings.LastIndex(page[:i], `="`)
	return open >= 0 && !strings.ContainsAny(page[open+2:i], `"<>`) && page[i] != '<'
}

// TestMasked checks that a value that may be a password is hidden at first.
func TestMasked(t *testing.T) {
	for name, want := range map[string]bool{
		"Authorization": true, "Cookie": true, "Proxy-Authorization": true, "X-Gitlab-Token": true, "X-Api-Key": true,
		"Stripe-Signature": false, "Content-Type": false, "Host": false,
	} {
		if masked(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	page := (&gateway{deliveries: []delivery{one()}}).get("7").Body.String()
	if !strings.Contains(page, "<details><summary>masked</summary><span>Bearer x</span></details>") || strings.Count(page, "Bearer x") != 1 {
		t.Error("Authorization is not masked")
	}
}
