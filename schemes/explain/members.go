package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// wanted is a member of the body, or an unsigned header, that a definition
// reads.
type wanted struct {
	option, member string
	isTime         bool
	unit           string // the unit of a time
	header         string // the header, if it is not a member
}

// notThere reports values that a user's own definition reads and the delivery
// does not have. A mistyped name is not an error otherwise, because not every
// event has every value.
func (d *Delivery) notThere() (found []Finding) {
	if d.Definition == nil {
		return nil
	}
	var body map[string]any
	decoder := json.NewDecoder(bytes.NewReader(d.Body))
	decoder.UseNumber()
	isObject := decoder.Decode(&body) == nil
	for _, w := range []wanted{
		{option: "id", member: d.Definition.ID.Body},
		{option: "event", member: d.Definition.Event.Body, header: d.Definition.Event.Header},
		{option: "timestamp", member: d.Definition.Timestamp.Body, isTime: true, unit: d.Definition.Timestamp.Unit},
		{option: "occurred_at", member: d.Definition.OccurredAt.Body, isTime: true, unit: d.Definition.OccurredAt.Unit},
		{option: "tenant", member: d.Definition.Tenant},
		{option: "environment", member: d.Definition.Environment},
		{option: "occurrence_id", header: d.Definition.OccurrenceID},
	} {
		if w.header != "" && d.Request.Header.Get(w.header) == "" {
			found = append(found, Finding{
				fmt.Sprintf("the delivery has no header %s, where the definition looks for %s", w.header, w.option),
				"compare the name with the headers, unless this event has none",
			})
		}
		switch {
		case w.member == "":
		case !isObject:
			return append(found, Finding{"the body is no JSON object, so that nothing is read from it", "leave out what the definition reads from the body"})
		default:
			found = append(found, w.judge(valueAt(body, w.member))...)
		}
	}
	return found
}

// valueAt returns the member at a path, or nil.
func valueAt(body map[string]any, path string) any {
	var value any = body
	for step := range strings.SplitSeq(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[step]
	}
	return value
}

// judge returns a finding if a value is not usable.
func (w wanted) judge(value any) []Finding {
	if value == nil {
		return []Finding{{
			fmt.Sprintf("this body has no member %s, where the definition looks for %s", w.member, w.option),
			"compare the path with the body, unless this event has none",
		}}
	}
	text, isText := value.(string)
	if number, ok := value.(json.Number); ok && w.isTime {
		text = number.String()
	}
	switch {
	case w.isTime:
		return w.judgeTime(text)
	case !isText:
		return []Finding{{
			fmt.Sprintf("%s is not a text in this body, and nothing else can be the %s", w.member, w.option),
			"name another member, or leave " + w.option + " out",
		}}
	case w.option == "id" && !idText.MatchString(text):
		return []Finding{{
			w.member + " cannot be an id in this body: that is 1 to 256 visible characters of ASCII",
			"name another member, or leave id out; a delivery without one is known by its content",
		}}
	}
	return nil
}

// judgeTime returns a finding if a time is written in a unit other than the
// definition's.
func (w wanted) judgeTime(text string) []Finding {
	unit, ok := unitOf(text)
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		unit, ok = "rfc3339", true
	}
	said := w.unit
	if said == "s" {
		said = ""
	}
	switch {
	case !ok:
		return []Finding{{
			fmt.Sprintf("%s is not a time that a definition can read, in this body", w.member),
			"name another member, or leave " + w.option + " out",
		}}
	case unit != said:
		if unit == "" {
			unit = "s"
		}
		return []Finding{{
			fmt.Sprintf("%s is in another unit than the definition says", w.member),
			fmt.Sprintf("write %s body %s unit %s", w.option, w.member, unit),
		}}
	}
	return nil
}
