// Package bodies holds the bodies of deliveries in pooled buffers. It counts
// them against one budget, and lets several handlers read each body. It imports
// the standard library only, so that it can be tested without a server.
package bodies

import (
	"errors"
	"io"
)

// firstRead is the size, in bytes, of the buffer that is allocated before any
// of the body has arrived: a Content-Length is only a claim. It is less than
// what an idle connection costs anyway.
const firstRead = smallestBuffer

// Errors that ReadAll returns for a body that is over its limits.
var (
	ErrTooLarge   = errors.New("body too large")
	ErrOverloaded = errors.New("no room for the body")
)

// Buffer holds a body as it arrives, in pooled memory that is counted. The zero
// Buffer is empty.
type Buffer struct {
	pooled *pooledBuffer // nil while there is none
	quota  quota
	probe  [1]byte // a field, because a local variable would be allocated on the heap
}

// Limits are the limits of one body.
type Limits struct {
	Declared int64 // the length that the sender claims, or -1
	Most     int64 // bytes
	Budget   Budget
}

// Bytes returns what has arrived. The slice is not valid after GiveBack.
func (in *Buffer) Bytes() []byte {
	if in.pooled == nil {
		return nil
	}
	return in.pooled.bytes
}

// ReadAll reads to the end of a body and writes every piece to the sink. After
// an error, the buffer still holds what has arrived.
func (in *Buffer) ReadAll(from io.Reader, l Limits, sink io.Writer) error {
	in.grow(min(uint64(l.Declared), firstRead)) // an unknown length, -1, is the largest uint64
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

// readMore reads one piece. A body that matches its declared length fills its
// buffer exactly, so a read of one byte looks for the end. A body longer than
// declared is still read: a handler before this one may have replaced it.
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

// arrived adds a piece that has been read into the buffer after the bytes
// already there. It hashes and counts it.
func (in *Buffer) arrived(piece []byte, l Limits, sink io.Writer, err error) error {
	in.pooled.bytes = in.pooled.bytes[:len(in.pooled.bytes)+len(piece)]
	_, _ = sink.Write(piece) // hashes do not fail
	if int64(len(in.pooled.bytes)) <= l.Most && !in.quota.take(int64(len(piece)), l.Budget) {
		return ErrOverloaded
	}
	return err
}

// nextRoom returns the size of the next buffer, once one of this size is full.
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

// GiveBack returns the memory to the pool and its bytes to the budget. The body
// must not be read afterwards.
func (in *Buffer) GiveBack() {
	if in.pooled != nil {
		putBuffer(in.pooled)
		in.pooled = nil
	}
	in.quota.giveBack()
}
