package engine

import (
	"fmt"
	"slices"
	"time"
)

// bodyPlan lists the members that a definition reads from a body.
type bodyPlan struct {
	paths                                        []Path
	names                                        []string // the paths as written, to read each once
	event, id, at, occurred, tenant, environment int      // positions among the paths, -1 if not read
}

// compileBody collects the members to read.
func (c *defined) compileBody() error {
	plan := &c.body
	var err error
	if c.OccurredAt.Unit, err = oneOf("occurred_at: unit", c.OccurredAt.Unit, unitSeconds, unitMillis, unitRFC3339); err != nil {
		return err
	}
	for _, m := range []struct {
		field, path string
		at          *int
	}{
		{"id: body", c.ID.Body, &plan.id},
		{"timestamp: body", c.Timestamp.Body, &plan.at},
		{"event: body", c.Event.Body, &plan.event},
		{"occurred_at: body", c.OccurredAt.Body, &plan.occurred},
		{"tenant", c.Tenant, &plan.tenant},
		{"environment", c.Environment, &plan.environment},
	} {
		*m.at = -1
		if m.path == "" {
			continue
		}
		if err := checkPath(m.path); err != nil {
			return fmt.Errorf("%s: %w", m.field, err)
		}
		if *m.at = slices.Index(plan.names, m.path); *m.at < 0 {
			*m.at = len(plan.names)
			plan.names = append(plan.names, m.path)
		}
	}
	plan.paths = Paths(plan.names...)
	return nil
}

// read is Scheme.Read of a definition.
func (c *defined) read(claim *SignedHeaders, body []byte) Event {
	event := Event{ID: claim.ID, Type: claim.Event}
	plan := &c.body
	if len(plan.paths) == 0 {
		return event
	}
	found, ok := Members(body, plan.paths)
	if !ok {
		return event
	}
	text := func(at int) string {
		if at < 0 {
			return ""
		}
		return found[at].Text()
	}
	moment := func(at int, unit string) time.Time {
		if at < 0 {
			return time.Time{}
		}
		return found[at].time(unit)
	}
	if kind := text(plan.event); kind != "" {
		event.Type = kind
	}
	if id := text(plan.id); id != "" {
		event.ID = id
	}
	event.BodyTime = moment(plan.at, c.Timestamp.Unit)
	if event.OccurredAt = moment(plan.occurred, c.OccurredAt.Unit); event.OccurredAt.IsZero() && c.OccurredAt.Unit == unitSeconds {
		// This time decides nothing, and a provider may have changed to RFC
		// 3339.
		event.OccurredAt = moment(plan.occurred, unitRFC3339)
	}
	event.Tenant, event.Environment = text(plan.tenant), text(plan.environment)
	return event
}

// time reads a time in a unit, or returns the zero time.
func (v Value) time(unit string) time.Time {
	switch unit {
	case unitMillis:
		return v.unixMillis()
	case unitRFC3339:
		return v.RFC3339()
	}
	return v.unixSeconds()
}
