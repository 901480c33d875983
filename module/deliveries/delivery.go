// Package deliveries remembers the last deliveries of the process: their
// verdicts without bodies and, if the operator asks for it, captures of whole
// deliveries. It knows neither HTTP nor Caddy. Everything is in memory and ends
// with the process.
package deliveries

import (
	"time"
	"unicode/utf8"
)

// Delivery is one delivery as the list, the admin endpoint and the commands
// show it. Its JSON leaves out empty fields.
type Delivery struct {
	// Number identifies the delivery. Numbers ascend; a restart begins at another
	// one.
	Number uint64 `json:"number"`
	// Time is when it arrived.
	Time Timestamp `json:"time"`
	// Provider is the label of the handler, Scheme the scheme that it verifies.
	Provider string `json:"provider"`
	Scheme   string `json:"scheme"`
	Tenant   string `json:"tenant,omitempty"`
	// Verdict is accepted, duplicate or rejected. Reason says why.
	Verdict string `json:"verdict"`
	Reason  string `json:"reason,omitempty"`
	// ID, Event, Age and Key are known once the signature is verified.
	ID    string `json:"id,omitempty"`
	Event string `json:"event,omitempty"`
	// Size is the size of the body in bytes.
	Size int64 `json:"size,omitempty"`
	// Age is the age of the signed send time in seconds; nil if there is none.
	Age *int64 `json:"age,omitempty"`
	// Key is the position of the secret that matched, from 1.
	Key int `json:"key,omitempty"`
	// Status is the status that the sender got. Application is the one that the
	// application answered.
	Status      int `json:"status,omitempty"`
	Application int `json:"application,omitempty"`
	// Duration is the time from the request's arrival to its answer, in seconds.
	Duration float64 `json:"duration"`
	Client   string  `json:"client,omitempty"`
	Method   string  `json:"method,omitempty"`
	// Path is the path as it was sent, without the query.
	Path string `json:"path,omitempty"`
	// Attempt and Inbox are set for a delivery that an inbox kept.
	Attempt int    `json:"attempt,omitempty"`
	Inbox   string `json:"inbox,omitempty"`
	// Hint says in a sentence what may be wrong.
	Hint string `json:"hint,omitempty"`
	// Observed is set if the verdict was not enforced.
	Observed bool `json:"observed,omitempty"`
	// Captured is set if headers and body are kept.
	Captured bool `json:"captured,omitempty"`
}

// Accepted is the verdict of a delivery that went to the application.
const Accepted = "accepted"

// Timestamp is a time whose JSON is RFC 3339, UTC, in milliseconds.
type Timestamp struct{ time.Time }

const milliseconds = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON writes the time.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"`+milliseconds+`"`), nil
}

// maxText is the length at which a text is cut, in bytes.
const maxText = 256

// cut shortens a text to maxText without splitting a character.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// entry is a remembered delivery. Texts that the sender chose are cut and
// copied into one string, so that the entry keeps no request and no body in
// memory.
type entry struct {
	number                            uint64
	time                              int64 // Unix milliseconds
	provider, scheme, verdict, reason string
	inbox                             string
	text                              string // all texts, one after the other
	ends                              [texts]uint16
	size, age                         int64
	took                              time.Duration
	attempt                           int32
	key, status, application          int16
	hasAge, observed                  bool
}

// texts is how many texts an entry has.
const texts = 7

// entrySize is the memory that an entry takes besides its text, in bytes,
// including its share of free places in the ring.
const entrySize = 288

func pack(number uint64, d *Delivery) entry {
	e := entry{
		number: number, time: d.Time.UnixMilli(),
		provider: d.Provider, scheme: d.Scheme, verdict: d.Verdict, reason: d.Reason, inbox: d.Inbox,
		size: d.Size, took: time.Duration(d.Duration * float64(time.Second)),
		attempt: int32(d.Attempt), key: int16(d.Key), status: int16(d.Status), application: int16(d.Application),
		observed: d.Observed,
	}
	if d.Age != nil {
		e.age, e.hasAge = *d.Age, true
	}
	var room [1024]byte // on the stack; longer texts are rare
	text := room[:0]
	for i, s := range [texts]string{d.ID, d.Event, d.Tenant, d.Client, d.Method, d.Path, d.Hint} {
		text = append(text, cut(s)...)
		e.ends[i] = uint16(len(text))
	}
	e.text = string(text)
	return e
}

func (e *entry) unpack() Delivery {
	var begin uint16
	next := func(i int) string {
		s := e.text[begin:e.ends[i]]
		begin = e.ends[i]
		return s
	}
	d := Delivery{
		Number: e.number, Time: Timestamp{time.UnixMilli(e.time).UTC()},
		Provider: e.provider, Scheme: e.scheme, Verdict: e.verdict, Reason: e.reason,
		ID: next(0), Event: next(1), Tenant: next(2), Client: next(3), Method: next(4), Path: next(5), Hint: next(6),
		Size: e.size, Key: int(e.key), Status: int(e.status), Application: int(e.application),
		Duration: e.took.Seconds(), Attempt: int(e.attempt), Inbox: e.inbox,
		Observed: e.observed,
	}
	if e.hasAge {
		d.Age = new(e.age) // a copy, or the whole entry would be allocated on the heap
	}
	return d
}
