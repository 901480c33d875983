package engine

import "errors"

// The errors of Sign for a value that the provider does not send.
var (
	ErrNoID        = errors.New("this scheme has no occurrence ID in its headers; leave the ID out")
	ErrNoEvent     = errors.New("this scheme has no event type in its headers; leave the event out")
	ErrEventInBody = errors.New("this scheme has the event type in the body; leave the event out")
)
