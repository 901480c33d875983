package main

import (
	"net/http"
	"strconv"
)

// meeting is where a sender goes away while the application has its delivery.
type meeting struct {
	answering bool          // the application has begun its answer
	arrived   chan struct{} // closed by the application
	left      chan struct{} // closed by the sender
}

// meet has the application wait for the sender of a delivery to go.
func (a *application) meet(d delivery, answering bool) *meeting {
	m := &meeting{answering, make(chan struct{}), make(chan struct{})}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.meetings == nil {
		a.meetings = map[uint64]*meeting{}
	}
	a.meetings[d.n] = m
	return m
}

func (a *application) meeting(d delivery) *meeting {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.meetings[d.n]
	delete(a.meetings, d.n)
	return m
}

func (m *meeting) answer(w http.ResponseWriter) {
	half := make([]byte, 256*kib)
	w.Header().Set("Content-Length", strconv.Itoa(2*len(half)))
	if m.answering {
		_, _ = w.Write(half)
		_ = http.NewResponseController(w).Flush()
	}
	close(m.arrived)
	<-m.left
	if !m.answering {
		_, _ = w.Write(half)
	}
	_, _ = w.Write(half)
}
