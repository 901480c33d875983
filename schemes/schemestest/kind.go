package schemestest

// Kind is the kind of change that a vector tests. It does not determine the
// right answer: a list in another order may be valid.
type Kind string

// The kinds.
const (
	Valid       Kind = "valid"        // as the provider sends it
	Unsigned    Kind = "unsigned"     // an unsigned value was changed
	Tampered    Kind = "tampered"     // a signed value was changed
	WrongSecret Kind = "wrong_secret" // made with another secret
	Missing     Kind = "missing"      // a value is absent
	Empty       Kind = "empty"        // a value is empty
	Truncated   Kind = "truncated"    // a part of the signature
	Encoding    Kind = "encoding"     // the same bytes in another encoding
	Grammar     Kind = "grammar"      // not of the provider's form
	Downgrade   Kind = "downgrade"    // another version, or its name
	Repeated    Kind = "repeated"     // a header more than once
	List        Kind = "list"         // the order and number of several signatures
	Recut       Kind = "recut"        // bytes moved from one signed part to the next
	Stale       Kind = "stale"        // authentic and too old
	Future      Kind = "future"       // authentic and ahead of the clock
	NoTime      Kind = "no_time"      // authentic, without the time to check
	Confusion   Kind = "confusion"    // another algorithm, or another kind of key
)

var kinds = []Kind{
	Valid, Unsigned, Tampered, WrongSecret, Missing, Empty, Truncated, Encoding, Grammar, Downgrade, Repeated, List,
	Recut, Stale, Future, NoTime, Confusion,
}
