package schemestest

// Kind is what a vector tries. Whether that is to be accepted is another
// question: a list in another order may be right.
type Kind string

// The kinds.
const (
	Valid       Kind = "valid"        // as the provider sends it
	Unsigned    Kind = "unsigned"     // what is not signed was changed
	Tampered    Kind = "tampered"     // what is signed was changed
	WrongSecret Kind = "wrong_secret" // made with another secret
	Missing     Kind = "missing"      // something is not there
	Empty       Kind = "empty"        // something is there, and empty
	Truncated   Kind = "truncated"    // a part of the signature
	Encoding    Kind = "encoding"     // the same bytes in another spelling
	Grammar     Kind = "grammar"      // not of the provider's form
	Downgrade   Kind = "downgrade"    // another version, or its name
	Repeated    Kind = "repeated"     // a header more than once
	List        Kind = "list"         // the order and number of what may be several
	Recut       Kind = "recut"        // bytes moved from one signed part to the next
	Stale       Kind = "stale"        // authentic and too old
	Future      Kind = "future"       // authentic and ahead of the clock
	NoTime      Kind = "no_time"      // authentic, without the time that is to be judged
	Confusion   Kind = "confusion"    // another algorithm, or another kind of key
)

var kinds = []Kind{
	Valid, Unsigned, Tampered, WrongSecret, Missing, Empty, Truncated, Encoding, Grammar, Downgrade, Repeated, List,
	Recut, Stale, Future, NoTime, Confusion,
}
