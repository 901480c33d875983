package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// application stands behind the gateway. It numbers the deliveries that are
// sent, and knows of each whether it came as it was sent, and how often.
type application struct {
	path   string // of its route in the gateway
	addr   string
	server *http.Server
	// behave, if set, is what it does instead.
	behave atomic.Pointer[func(http.ResponseWriter, *http.Request)]
	// hold, if set, delays the answer to a delivery that is recorded.
	hold atomic.Pointer[func(d delivery)]

	mu       sync.Mutex
	meetings map[uint64]*meeting // by number
	fates    []fate              // by number
	foreign  int                 // bodies that nobody sent
}

// fate is what became of a delivery.
type fate struct {
	arrived    uint8
	accepted   bool // its sender was told so
	unanswered bool // an attempt had no answer
}

// delivery is a body that is to be sent, by its number and size.
type delivery struct {
	n         uint64
	size      int
	signature string
}

func startApplication(path string) (*application, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &application{path: path, addr: listener.Addr().String()}
	a.server = &http.Server{Handler: a}
	go func() { _ = a.server.Serve(listener) }()
	return a, nil
}

func (a *application) stop() { _ = a.server.Close() }

// next makes a new delivery.
func (a *application) next(size int) delivery {
	a.mu.Lock()
	n := uint64(len(a.fates))
	a.fates = append(a.fates, fate{})
	a.mu.Unlock()
	return delivery{n, size, signature(n, size)}
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if behave := a.behave.Load(); behave != nil {
		(*behave)(w, r)
		return
	}
	d, ok := a.receive(r.Body)
	if !ok {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if hold := a.hold.Load(); hold != nil {
		(*hold)(d)
	}
	if m := a.meeting(d); m != nil {
		m.answer(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// receive reads a body and notes that it has come, if it is whole and as it was
// sent.
func (a *application) receive(body io.Reader) (delivery, bool) {
	d, same, err := readDelivery(body)
	if err != nil {
		return d, false // the gateway went away in the middle
	}
	return d, a.record(d, same)
}

// buffers are for comparing bodies piece by piece.
var buffers = sync.Pool{New: func() any { return new([2][32 * kib]byte) }}

// readDelivery compares a body with the one that it says it is.
func readDelivery(body io.Reader) (d delivery, same bool, err error) {
	pair := buffers.Get().(*[2][32 * kib]byte)
	defer buffers.Put(pair)
	head := pair[0][:headLength]
	if _, err := io.ReadFull(body, head); err != nil {
		return d, false, err
	}
	n, size, same := parseHead(head)
	want := newBody(n, size)
	_, _ = io.ReadFull(want, pair[1][:headLength])
	total := headLength
	for {
		got, err := body.Read(pair[0][:])
		total += got
		expected, _ := io.ReadFull(want, pair[1][:got])
		same = same && bytes.Equal(pair[0][:got], pair[1][:expected])
		if err == io.EOF {
			return delivery{n: n, size: size}, same && total == size, nil
		}
		if err != nil {
			return d, false, err
		}
	}
}

func (a *application) record(d delivery, same bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !same || d.n >= uint64(len(a.fates)) {
		a.foreign++
		return false
	}
	a.fates[d.n].arrived++
	return true
}

// numbered is how many deliveries there are so far.
func (a *application) numbered() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.fates)
}

// arrived is how often a delivery has come.
func (a *application) arrived(d delivery) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int(a.fates[d.n].arrived)
}

// noteAccepted is called when a sender has read a 2xx, noteUnanswered when it
// has read nothing.
func (a *application) noteAccepted(d delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fates[d.n].accepted = true
}

func (a *application) noteUnanswered(d delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fates[d.n].unanswered = true
}

// tally is what became of all deliveries so far.
type tally struct {
	accepted   int // told so to the sender
	lost       int // of those, never seen by the application
	doubled    int // came more than once
	unanswered int // an attempt had no answer
	foreign    int // bodies that differ from every one that was sent
}

func (a *application) tally() tally { return a.tallyFrom(0) }

// tallyFrom leaves out what was numbered before.
func (a *application) tallyFrom(n int) tally {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := tally{foreign: a.foreign}
	for _, f := range a.fates[n:] {
		if f.accepted {
			t.accepted++
			if f.arrived == 0 {
				t.lost++
			}
		}
		if f.arrived > 1 {
			t.doubled++
		}
		if f.unanswered {
			t.unanswered++
		}
	}
	return t
}

// whole says that each arrived exactly once, byte for byte.
func (t tally) whole() bool { return t.lost == 0 && t.doubled == 0 && t.foreign == 0 }

func (t tally) String() string {
	return fmt.Sprintf("%d accepted, lost %d, doubled %d, changed %d", t.accepted, t.lost, t.doubled, t.foreign)
}
