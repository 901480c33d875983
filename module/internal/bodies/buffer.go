// Package bodies holds the bodies of deliveries: in pooled buffers, counted
// against one budget, and so that several handlers can read them. It imports the
// standard library only, so that it can be tested without a server.
package bodies

import (
	"errors"
	"io"
)

// firstRead is how many bytes of a body are made room for before any has
// arrived: a Content-Length is only a claim. It is less than what a connection
// that sends nothing costs anyway.
const firstRead = smallestBuffer

// What ReadAll returns for a body that is over its limits.
var (
	ErrTooLarge   = errors.New("body too large")
	ErrOverloaded = errors.New("no room for the body")
)

// Buffer is a body as it arrives: in pooled memory, and counted. The zero Buffer
// is empty.
type Buffer struct {
	pooled *pooledBuffer // nil while there is none
	quota  quota
	probe  [1]byte // here, because on the stack it would not stay
}

// Limits are those of one body.
type Limits struct {
	Declared int64 // the length that the sender claims, or -1
	Most     int64 // bytes
	Budget   Budget
}

// Bytes returns what has arrived. It is not valid after GiveBack.
func (in *Buffer) Bytes() []byte {
	if in.pooled == nil {
		return nil
	}
	return in.pooled.bytes
}

// ReadAll reads to the end of a body and writes every piece to the sink. After an
// error, what has arrived is still there.
func (in *Buffer) ReadAll(from io.Reader, l Limits, sink io.Writer) error {
	in.grow(min(uint64(l.Declared), firstRead)) // -1 is the largest
	for {
		err := in.readMore(from, l, sink)
		size := int64(len(in.pooled.bytes))
		switch {
		case size > l.Most:
			return ErrTooLarge
		case err == io.EOF: //nolint:errorlint // readers give exactly this
			return nil
		case err != nil:
			return err
		case size == int64(cap(in.pooled.bytes)) && size != l.Declared:
			in.grow(l.nextRoom(size))
		}
	}
}

// readMore reads a piece. A body that has arrived as it was declared is in a
// buffer of exactly its size, so its end is looked for with one byte. A body
// that is longer than declared is still read: a handler in front of this one
// may have replaced it.
func (in *Buffer) readMore(from io.Reader, l Limits, sink io.Writer) error {
	b := in.pooled.bytes
	if len(b) < cap(b) {
		n, err := from.Read(b[len(b):cap(b)])
		return in.arrived(b[len(b):len(b)+n], l, sink, err)
	}
	n, err := from.Read(in.probe[:])
	if n == 0 {
		return err
	}
	in.grow(l.nextRoom(int64(len(b))))
	b = append(in.pooled.bytes, in.probe[0])
	return in.arrived(b[len(b)-1:], l, sink, err)
}

// arrived takes over a piece that stands behind what is already there.
func (in *Buffer) arrived(piece []byte, l Limits, sink io.Writer, err error) error {
	in.pooled.bytes = in.pooled.bytes[:len(in.pooled.bytes)+len(piece)]
	_, _ = sink.Write(piece) // hashes do not fail
	if int64(len(in.pooled.bytes)) <= l.Most && !in.quota.take(int64(len(piece)), l.Budget) {
		return ErrOverloaded
	}
	return err
}

// nextRoom is the size of the next buffer, when one of this size is full.
func (l Limits) nextRoom(size int64) uint64 {
	if l.Declared > size && l.Budget.fits(l.Declared) {
		return uint64(l.Declared)
	}
	room := min(2*uint64(size), uint64(l.Most)+1)
	if l.Declared > size {
		room = min(room, uint64(l.Declared))
	}
	return room
}

// grow moves what has arrived into a larger buffer.
func (in *Buffer) grow(room uint64) {
	grown := getBuffer(int(room))
	grown.bytes = append(grown.bytes, in.Bytes()...)
	if in.pooled != nil {
		putBuffer(in.pooled)
	}
	in.pooled = grown
	in.quota.makeRoom(cap(grown.bytes))
}

// GiveBack returns the memory and its part of the budget. Nothing may read the
// body any more.
func (in *Buffer) GiveBack() {
	if in.pooled != nil {
		putBuffer(in.pooled)
		in.pooled = nil
	}
	in.quota.giveBack()
}
