package engine

import (
	"fmt"
	"time"
)

// Sending is what a provider's sender does with an answer, as the provider
// documents it. What is not documented is zero.
type Sending struct {
	// Deadline is the time within which the sender wants the answer. A sender
	// that waited in vain treats the delivery as failed.
	Deadline time.Duration

	// Retries says in words when the sender sends a delivery again that failed. It
	// is only shown.
	Retries string

	// LargestBody is the size in bytes up to which the provider sends a body.
	LargestBody int64

	// First says in words what the provider sends when its webhook is made, if that
	// is a delivery like any other. It is only shown.
	First string

	// ReadsAnswer says in words which deliveries have an answer that the provider
	// reads for more than its status. It is only shown.
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
