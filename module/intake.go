package module

import "io"

// intake is a body as it arrives: in a pooled buffer, and counted.
type intake struct {
	buffer *buffer // nil while there is none
	hold   hold
	probe  [1]byte // here, because on the stack it would not stay
}

// limits are those of one body.
type limits struct {
	declared int64 // the length that the sender claims, or -1
	most     int64 // bytes
	budget   budget
}

// bytes is what has arrived.
func (in *intake) bytes() []byte {
	if in.buffer == nil {
		return nil
	}
	return in.buffer.bytes
}

// readAll reads to the end of a body and hands every piece to the sink. With an
// error, what has arrived is still there.
func (in *intake) readAll(from io.Reader, l limits, sink io.Writer) error {
	in.grow(min(uint64(l.declared), firstRead)) // -1 is the largest
	for {
		err := in.readMore(from, l, sink)
		size := int64(len(in.buffer.bytes))
		switch {
		case size > l.most:
			return errTooLarge
		case err == io.EOF: //nolint:errorlint // readers give exactly this
			return nil
		case err != nil:
			return err
		case size == int64(cap(in.buffer.bytes)) && size != l.declared:
			in.grow(l.nextRoom(size))
		}
	}
}

// readMore reads a piece. A body that has arrived as it was declared is in a
// buffer of exactly its size, so its end is looked for with one byte. A body
// that is longer than declared is still read: a handler in front of this one
// may have replaced it.
func (in *intake) readMore(from io.Reader, l limits, sink io.Writer) error {
	b := in.buffer.bytes
	if len(b) < cap(b) {
		n, err := from.Read(b[len(b):cap(b)])
		return in.arrived(b[len(b):len(b)+n], l, sink, err)
	}
	n, err := from.Read(in.probe[:])
	if n == 0 {
		return err
	}
	in.grow(l.nextRoom(int64(len(b))))
	b = append(in.buffer.bytes, in.probe[0])
	return in.arrived(b[len(b)-1:], l, sink, err)
}

// arrived takes over a piece that stands behind what is already there.
func (in *intake) arrived(piece []byte, l limits, sink io.Writer, err error) error {
	in.buffer.bytes = in.buffer.bytes[:len(in.buffer.bytes)+len(piece)]
	_, _ = sink.Write(piece) // hashes do not fail
	if int64(len(in.buffer.bytes)) <= l.most && !in.hold.take(int64(len(piece)), l.budget) {
		return errOverloaded
	}
	return err
}

// nextRoom is the size of the next buffer, when one of this size is full.
func (l limits) nextRoom(size int64) uint64 {
	if l.declared > size && l.budget.believes(l.declared) {
		return uint64(l.declared)
	}
	room := min(2*uint64(size), uint64(l.most)+1)
	if l.declared > size {
		room = min(room, uint64(l.declared))
	}
	return room
}

// grow moves what has arrived into a larger buffer.
func (in *intake) grow(room uint64) {
	grown := getBuffer(int(room))
	grown.bytes = append(grown.bytes, in.bytes()...)
	if in.buffer != nil {
		putBuffer(in.buffer)
	}
	in.buffer = grown
	in.hold.makeRoom(cap(grown.bytes))
}

// giveBack returns the buffer and its part of the budget. Nothing may read it
// any more.
func (in *intake) giveBack() {
	if in.buffer != nil {
		putBuffer(in.buffer)
		in.buffer = nil
	}
	in.hold.giveBack()
}
