package module

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The values of Handler.Emit.
const (
	EmitWebhook     = "webhook"
	EmitCloudEvents = "cloudevents"
	EmitNone        = "none"
)

// emits are the headers that the application gets.
type emits struct{ webhook, cloudEvents bool }

// emitsOf compiles the option; without it the headers are Webhook-.
func emitsOf(names []string) emits {
	return emits{
		webhook:     len(names) == 0 || slices.Contains(names, EmitWebhook),
		cloudEvents: slices.Contains(names, EmitCloudEvents),
	}
}

func checkEmit(names []string) error {
	known := []string{EmitWebhook, EmitCloudEvents, EmitNone}
	for i, name := range names {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("emit: this is not known; write %s", strings.Join(known, ", "))
		case slices.Contains(names[:i], name):
			return fmt.Errorf("emit: %s is given twice; write it once", name)
		case name == EmitNone && len(names) > 1:
			return fmt.Errorf("emit none stands beside another emit; write none alone, or leave it out")
		}
	}
	return nil
}

// emit writes the headers of a verified delivery, signed only if it is new. The
// request no longer has any of them from its sender. The values are put behind
// those given.
func (h *Handler) emit(header http.Header, d *delivery, values []string) {
	if h.emits.webhook {
		d.setHeaders(header, values)
	}
	if h.emits.cloudEvents {
		d.setCloudEvent(header)
	}
	if h.signer == nil {
		return
	}
	// What the provider itself signed with these names, it signed for others.
	delete(header, headerTimestamp)
	delete(header, headerSignature)
	if d.verdict == accepted {
		h.signer.sign(header, d.id(), h.now(), d.body.intake.bytes())
	}
}
