package engine

import (
	"fmt"
	"time"
)

// Sending is how a provider's sender behaves, as the provider documents it. A
// value that is not documented is zero.
type Sending struct {
	// Deadline is how long the sender waits for the answer. After it, the
	// sender treats the delivery as failed.
	Deadline time.Duration

	// Retries says in words when the sender sends a failed delivery again. It
	// is only shown.
	Retries string

	// LargestBody is the size, in bytes, of the largest body that the provider
	// sends.
	LargestBody int64

	// First says in words what the provider sends when its webhook is made, if that
	// is a delivery like any other. It is only shown.
	First string

	// ReadsAnswer says in words for which deliveries the provider reads the
	// body of the answer. It is only shown.
	ReadsAnswer string
}

// Words returns the deadline, the retries and the largest body, for people.
func (s Sending) Words() (deadline, retries, largestBody string) {
	const unknown = "not documented"
	deadline, retries, largestBody = unknown, unknown, unknown
	if s.Deadline > 0 {
		deadline = Short(s.Deadline)
	}
	if s.Retries != "" {
		retries = s.Retries
	}
	if s.LargestBody > 0 {
		largestBody = fmt.Sprintf("%d MiB", s.LargestBody>>20)
	}
	return deadline, retries, largestBody
}
