package schemes

import "errors"

// What a signer answers when it is given what its provider does not send.
var (
	errNoID        = errors.New("this scheme has no occurrence ID in its headers; leave the ID out")
	errNoEvent     = errors.New("this scheme has no event type in its headers; leave the event out")
	errEventInBody = errors.New("this scheme has the event type in the body; leave the event out")
)
