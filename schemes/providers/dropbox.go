package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// dropbox signs the body alone, with the app secret. A body only says whose
// files have changed, so it is the same for every change of one account, and
// nothing that is sent tells two of them apart: with any history, changes would
// be lost. A replay makes the application look for changes that are not there.
func init() {
	engine.Define("dropbox", engine.Definition{
		Source:    "dropbox.com/developers/reference/webhooks",
		Sending:   engine.Sending{Deadline: 10 * time.Second},
		Signature: engine.SignatureForm{Header: "X-Dropbox-Signature"},
		Defaults: engine.Defaults{
			Replay: engine.ReplayOff,
			Reason: "Every change of an account is sent with the same bytes.",
		},
	})
}
