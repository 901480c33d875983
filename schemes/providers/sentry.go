package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// sentry signs only the body, with the client secret of the integration. The
// time, the id of the request and the kind of resource are in headers that are
// not signed.
func init() {
	engine.Define("sentry", engine.Definition{
		Source:  "docs.sentry.io: Integration Platform, Webhooks",
		Sending: engine.Sending{Deadline: time.Second},

		Signature:    engine.SignatureForm{Header: "Sentry-Hook-Signature"},
		OccurrenceID: "Request-ID",
		Event:        engine.EventPlace{Header: "Sentry-Hook-Resource", Body: "action"},
		Tenant:       "installation.uuid",
	})
}
