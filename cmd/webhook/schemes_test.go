package webhook

import (
	"slices"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

func TestSchemes(t *testing.T) {
	o := run(t, nil, "schemes")
	if o.status != 0 || o.errOut != "" {
		t.Fatalf("status %d, %s", o.status, o.errOut)
	}
	for line := range strings.Lines(o.out) {
		if len(strings.TrimRight(line, "\n")) > 100 {
			t.Errorf("more than 100 columns:\n%s", line)
		}
	}
	// Compare words, because the width of a column depends on all schemes.
	said := strings.Join(strings.Fields(o.out), " ")
	for _, entry := range []string{
		"SCHEME SIGNATURE HEADER SECRET SIGNED TIME " + schemes.Names()[0],
		"craneops X-Craneops-Signature text none signs body CraneOps dashboard, API & Webhooks: Webhook Security witness: documentation only deadline: not documented retries: not documented largest body: not documented",
		"deadline: 10s retries: none; redelivery by hand or through the API, within 3 days largest body: 25 MiB",
		"witness: documentation only deadline: 10s retries: not documented largest body: not documented default: replay off",
		"cryptr Cryptr-Signature text headers signs t . body Cryptr documentation, Deploy your first Webhook: Webhook Security",
		"easytools X-Webhook-Signature text body, with tolerance signs body Easytools help, Generate webhook signing key; easy.tools/docs/list-of-webhook-events",
		"mceasy X-Mceasywebhook-Signature base64 headers signs time |> event id |> body McEasy documentation, Webhook: Security; docs.mceasy.com/guide/webhook",
		"standard Webhook-Signature whsec_ or whpk_ headers signs {id}.{timestamp}.{body} Standard Webhooks,",
	} {
		if !strings.Contains(said, entry) {
			t.Errorf("%q is not in\n%s", entry, o.out)
		}
	}
	for _, s := range schemes.All() {
		if s.SecretForm() == "" || s.SignedBytes() == "" || !strings.Contains(said, s.Name()+" "+s.SignatureHeader()+" "+s.SecretForm()+" ") {
			t.Errorf("%s is not described", s.Name())
		}
	}
}

// TestSchemesWithAWord: it is looked for in the name, the header and the source.
func TestSchemesWithAWord(t *testing.T) {
	for word, want := range map[string][]string{
		"shop":                {"shopify"},
		"Heroku-Webhook":      {"heroku"},
		"developer.atlassian": {"jira"},
		"SVIX":                {"clerk", "resend"},
	} {
		o := run(t, nil, "schemes", word)
		var got []string
		for line := range strings.Lines(o.out) {
			if name, _, _ := strings.Cut(line, " "); name != "" && name != "SCHEME" {
				got = append(got, name)
			}
		}
		if o.status != 0 || !slices.Equal(got, want) {
			t.Errorf("%s: status %d, %v, want %v", word, o.status, got, want)
		}
	}
	if o := run(t, nil, "schemes", "no-such-provider"); o.status != 2 || o.out != "" || strings.Contains(o.errOut, "no-such-provider") {
		t.Errorf("status %d: %s%s", o.status, o.out, o.errOut)
	}
	if o := run(t, nil, "schemes", "a", "b"); o.status != 2 {
		t.Errorf("two words: status %d", o.status)
	}
}
