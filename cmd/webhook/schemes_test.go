package webhook

import (
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
	// As words, because the columns are as wide as the widest of all schemes.
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
