package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// standard is Standard Webhooks, and Svix, which sends the same headers under
// other names. The secret decides which signatures are verified: whsec_ those
// with an HMAC, whpk_ those with a public key.
func init() { engine.Define("standard", standardWebhooks) }

var standardWebhooks = engine.Definition{
	Source: "Standard Webhooks, specification 1.0.0 (github.com/standard-webhooks/standard-webhooks)",
	Witness: engine.Witness{
		Published: "Standard Webhooks, specification 1.0.0",
		Signs:     "standardwebhooks 1.1.1 (Node), standard-webhooks/libraries v0.0.1, svix 1.99.1 (Node)",
		Verifies:  "standardwebhooks 1.1.1 (Node), standard-webhooks/libraries v0.0.1, svix 1.99.1 (Node)",
		Note:      "The libraries have no `v1a`. Svix is tried under its own names of the headers.",
	},
	Sending: engine.Sending{
		Deadline: 15 * time.Second,
		Retries:  "Svix: 8 attempts within 28 hours; 5 days of failures disable the endpoint",
	},
	Signature: engine.SignatureForm{
		Header: "webhook-signature", Encoding: "base64", Separator: " ", Assign: ",",
	},
	Variants: []engine.Variant{
		{Name: "v1", Algorithm: "hmac-sha256", Key: "whsec_"},
		{Name: "v1a", Algorithm: "ed25519", Key: "whpk_"},
	},
	Signed:     "{id}.{timestamp}.{body}",
	ID:         engine.Place{Header: "webhook-id"},
	Timestamp:  engine.TimePlace{Place: engine.Place{Header: "webhook-timestamp"}},
	Event:      engine.EventPlace{Body: "type"},
	OccurredAt: engine.BodyTime{Body: "timestamp", Unit: "rfc3339"},
	Aliases: []map[string]string{{
		"webhook-id": "svix-id", "webhook-timestamp": "svix-timestamp", "webhook-signature": "svix-signature",
	}},
}

// bySvix completes the definition of a provider that sends through Svix, which
// signs under its own names of the headers alone.
func bySvix(d engine.Definition) engine.Definition {
	d.Sending = engine.Sending{
		Deadline: 15 * time.Second,
		Retries:  "8 attempts within 28 hours; 5 days of failures disable the endpoint",
	}
	d.Signature = engine.SignatureForm{
		Header: "svix-signature", Encoding: "base64", Separator: " ", Assign: ",", Names: []string{"v1"},
	}
	d.Key = "whsec_"
	d.Signed = "{id}.{timestamp}.{body}"
	d.ID = engine.Place{Header: "svix-id"}
	d.Timestamp = engine.TimePlace{Place: engine.Place{Header: "svix-timestamp"}}
	return d
}
