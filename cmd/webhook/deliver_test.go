package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestDeliver(t *testing.T) {
	const path = "/verify_webhook/deliveries/"
	address := newAdmin(t, map[string]string{
		path + "1/deliver": `{"status":204,"id":"evt_1"}`,
		path + "2/deliver": `{"status":500,"id":"a\u001b[2J"}`,
		path + "3":         `{"number":3,"captured":true,"method":"PUT","uri":"/x","headers":{"Host":["hooks.example.com"],"X-Own":["a","b"],"Webhook-Verdict":["accepted"],"Webhook_Id":["x"],"Webhook-Id":["x"],"Content-Length":["9"]},"body":"e30K","scheme":"craneops"}`,
		path + "6":         `{"number":6,"captured":true,"method":"POST","headers":{"Webhook-Verdict":["accepted"],"Webhook-Id":["live"]},"body":"e30K","scheme":"standard"}`,
		path + "7":         `{"number":7,"captured":true,"method":"POST","headers":{"Webhook-Verdict":["accepted"],"Webhook-Id":["live"]},"body":"e30K","scheme":"of my own"}`,
		path + "4":         `{"number":4}`,
	})
	for _, c := range []struct {
		args   string
		status int
		out    string
	}{
		{"1", 0, "delivered again: evt_1; the application answered 204\n"},
		{"2", 1, "Error: not delivered: a\\x1b[2J; the answer was 500\n"},
		{"5", 1, "404: no such"},
		{"4 --to http://127.0.0.1:9", 1, "nothing was captured"},
		{"3 --to ftp://x", 2, "--to is not a URL"},
		{"", 2, "write the number"},
		{"x", 2, "write the number"},
	} {
		o := run(t, nil, append([]string{"deliver", "--address", address}, strings.Fields(c.args)...)...)
		if o.status != c.status || !strings.Contains(o.out+o.errOut, c.out) {
			t.Errorf("%s: %d %s%s", c.args, o.status, o.out, o.errOut)
		}
	}

	var got string
	developer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.RequestURI + " " + strings.Join(r.Header["X-Own"], ",") + " " + string(body)
		for name := range r.Header {
			if strings.HasPrefix(strings.ToLower(name), "webhook") {
				got += " and " + name
			}
		}
		if r.Host == "hooks.example.com" {
			got += " for the gateway's host"
		}
		http.Redirect(w, r, "/elsewhere", http.StatusSeeOther)
	}))
	defer developer.Close()
	// Of the Webhook-… headers, only those that the scheme signs are sent.
	for number, want := range map[string]string{
		"3": "PUT /hooks a,b {}\n",
		"6": "POST /hooks  {}\n and Webhook-Id",
		"7": "POST /hooks  {}\n and Webhook-Id",
	} {
		o := run(t, nil, "deliver", number, "--address", address, "--to", developer.URL+"/hooks")
		if o.status != 1 || !strings.Contains(o.out, "303") || got != want {
			t.Errorf("%d %s%s, sent %q", o.status, o.out, o.errOut, got)
		}
	}
}

func TestRejudge(t *testing.T) {
	const path = "/verify_webhook/rejudge/"
	address := newAdmin(t, map[string]string{
		path + "stripe":              `{"judged":3,"delivered":2}`,
		path + "stripe?tenant=a%2Fb": `{"judged":1,"delivered":0}`,
		path + "github":              `{"judged":1,"delivered":0,"stopped":"the application answered 503"}`,
	})
	for _, c := range []struct {
		args   string
		status int
		out    string
	}{
		{"--provider stripe", 0, "judged again: 3, delivered: 2\n"},
		{"--provider stripe --tenant a/b", 0, "judged again: 1, delivered: 0\n"},
		{"--provider github", 1, "the application answered 503"},
		{"--provider nobody", 1, "404: no such"},
		{"", 2, "add --provider P"},
		{"--provider stripe more", 2, "no option takes"},
	} {
		o := run(t, nil, append([]string{"rejudge", "--address", address}, strings.Fields(c.args)...)...)
		if o.status != c.status || !strings.Contains(o.out+o.errOut, c.out) {
			t.Errorf("%s: %d %s%s", c.args, o.status, o.out, o.errOut)
		}
	}
}
