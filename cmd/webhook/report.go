package webhook

import (
	"fmt"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// report returns the known facts, one per line. It contains no secret, and no
// expected MAC, with which any reader could sign.
func (r *result) report(secrets int) string {
	var out strings.Builder
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&out, "%-16s%s\n", name+":", text)
		}
	}
	verdict := "accepted"
	if !r.accepted() {
		verdict = "rejected"
	}
	row("verdict", verdict)
	if !r.accepted() {
		row("reason", string(r.refusal.Reason()))
		row("detail", r.refusal.Detail())
	}
	row("scheme", r.scheme.Name())
	if r.verified {
		row("secret", fmt.Sprintf("%d of %d matches", r.secret, secrets))
	}
	row("signed time", r.describeTime())
	row("id", r.facts.ID)
	row("event", plain(r.facts.Type))
	if at := r.facts.OccurredAt; !at.IsZero() {
		row("occurred at", at.UTC().Format(time.RFC3339Nano))
	}
	row("tenant", plain(r.facts.Tenant))
	row("environment", plain(r.facts.Environment))
	row("occurrence id", describeUnsigned(r.occurrenceID))
	row("unsigned event", describeUnsigned(r.unsignedEvent))
	row("signed bytes", r.describeSigned())
	r.reportExplanation(row)
	return out.String()
}

// reportExplanation writes the explanation of the verdict. It does not call a
// sign a cause.
func (r *result) reportExplanation(row func(name, text string)) {
	e := r.explanation
	name, doubt := "explained by", ""
	switch {
	case r.accepted():
		name = "note"
	case !e.Proven:
		doubt = "not proven, but seen: "
	}
	for _, f := range e.Findings {
		row(name, doubt+f.What)
		row("what to do", f.Do)
	}
	if e.Tried == "" {
		return
	}
	if e.Findings == nil {
		row("explained by", "no common mistake")
	}
	if !e.Finished {
		row("not finished", "the search came to its bounds before everything was tried")
	}
	row("tried", e.Tried)
	row("what to do", e.Next)
}

// describeTime returns the signed time and its age, or says why there is none.
func (r *result) describeTime() string {
	at := r.signedTime()
	if at.IsZero() {
		if r.scheme.Time() == schemes.NoTime {
			return "none; " + r.scheme.Name() + " does not sign one"
		}
		return ""
	}
	age, side := r.now.Sub(at), "old"
	if age < 0 {
		age, side = -age, "ahead of the clock"
	}
	text := fmt.Sprintf("%s, %s %s", at.UTC().Format(time.RFC3339Nano), schemes.Short(age), side)
	switch {
	case !r.verified:
		text += " (what the header says, not verified)"
	case !r.judged:
		text += " (not judged)"
	}
	return text
}

func describeUnsigned(u schemes.Unsigned) string {
	if !u.Sent {
		return ""
	}
	return shown([]byte(u.Value)) + " (not signed; anybody can change it)"
}

func (r *result) describeSigned() string {
	if !r.known {
		return plain(r.scheme.SignedBytes()) + "; the headers do not say all of it"
	}
	return fmt.Sprintf("%s (%s)", shown(r.signed), inBytes(len(r.signed)))
}
