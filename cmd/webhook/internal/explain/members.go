package explain

import (
	"fmt"

	"github.com/hooklatch/hooklatch/schemes"
)

// notThere says which members of the body a definition of the user's own asks
// for in vain: a mistyped one is no error, because not every event has all.
func (d *Delivery) notThere() (found []Finding) {
	if d.Definition == nil {
		return nil
	}
	facts := d.Scheme.Read(&schemes.Claim{}, d.Body)
	for _, m := range []struct {
		option, member, kind string
		there                bool
	}{
		{"id", d.Definition.ID.Body, "text", facts.ID != ""},
		{"event", d.Definition.Event.Body, "text", facts.Event != ""},
		{"timestamp", d.Definition.Timestamp.Body, "time in this unit", !facts.BodyTime.IsZero()},
		{"occurred_at", d.Definition.OccurredAt.Body, "time in this unit", !facts.OccurredAt.IsZero()},
		{"tenant", d.Definition.Tenant, "text", facts.Tenant != ""},
		{"environment", d.Definition.Environment, "text", facts.Environment != ""},
	} {
		if m.member != "" && !m.there {
			found = append(found, Finding{
				fmt.Sprintf("this body has no %s at %s, where the definition looks for %s", m.kind, m.member, m.option),
				"compare the path with the body, unless this event has none",
			})
		}
	}
	return found
}
