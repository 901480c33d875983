package e2e

import (
	"bufio"
	"bytes"
	endian "encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// behavior is how an upstream treats every request that reaches it.
type behavior string

const (
	takes       behavior = "takes"              // reads all, then answers 200
	refuses     behavior = "refuses"            // nothing listens
	resets      behavior = "resets"             // reads half of the body, then resets the connection
	hangs       behavior = "hangs"              // reads all and does not answer
	fails       behavior = "fails"              // reads all, then answers 500
	breaks      behavior = "breaks"             // reads all, answers 200 and breaks off in the body of its answer
	takesEarly  behavior = "takes-early"        // answers 200, then reads all
	leavesEarly behavior = "takes-early-leaves" // answers 200 and does not read
	busyEarly   behavior = "busy-early"         // answers 503, then reads all
	busyLeaves  behavior = "busy-early-leaves"  // answers 503 and does not read
)

func listening() []behavior {
	return []behavior{takes, resets, hangs, fails, breaks, takesEarly, leavesEarly, busyEarly, busyLeaves}
}

// arrival is one request as it reached an upstream. Its body is compared as
// soon as it has ended, so that thousands of bodies need not be kept.
type arrival struct {
	number   int
	upstream string // protocol and behavior
	sending  string // "1" or "2"
	method   string
	declared int64 // Content-Length; -1 if there is none
	read     int64
	ended    bool   // the framing says that the body is complete
	differs  string // how the read bytes differ from the signed body; empty if they do not
	status   int    // of the answer, 0 if there is none
	early    bool   // the answer came before the body was read
}

// complete reports whether the application cannot see that anything is missing.
func (a arrival) complete() bool {
	return a.ended && (a.declared < 0 || a.declared == a.read)
}

func (a arrival) String() string {
	return fmt.Sprintf("%s read %d of %d bytes%s, answered %d", a.upstream, a.read, a.declared, a.differs, a.status)
}

// upstreams holds a server for each protocol and behavior. The servers find the
// row of a request by its X-Row header, and name the arrival in each answer.
type upstreams struct {
	addresses map[string]string    // by protocol and behavior
	signed    func(row int) []byte // the body of a row

	notice   harness.Notice
	mu       sync.Mutex
	arrivals map[int][]*arrival // by row
	open     map[int]int        // requests being handled, by row
	handling int                // requests being handled
	count    int
}

func newUpstreams(t *testing.T, signed func(row int) []byte) *upstreams {
	u := &upstreams{
		addresses: map[string]string{},
		signed:    signed,
		arrivals:  map[int][]*arrival{},
		open:      map[int]int{},
	}
	for _, b := range listening() {
		u.addresses["h1 "+string(b)] = u.listen(t, func(conn net.Conn) { u.serveHTTP1(conn, b) })
		u.addresses["fcgi "+string(b)] = u.listen(t, func(conn net.Conn) { u.serveFastCGI(conn, b) })
		u.addresses["h2c "+string(b)] = u.listenHTTP2(t, b)
	}
	return u
}

// address returns the address of the server with a protocol and a behavior.
func (u *upstreams) address(protocol string, b behavior) string {
	if b == refuses {
		return "127.0.0.1:1"
	}
	return u.addresses[protocol+" "+string(b)]
}

// finish waits until no request is being handled, but no longer than
// harness.Patience.
func (u *upstreams) finish() {
	deadline := time.After(harness.Patience)
	for {
		changed := u.notice.Next()
		busy := false
		u.change(func() { busy = u.handling > 0 })
		if !busy {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			return
		}
	}
}

// of returns the arrivals of a row, and whether all of them have ended.
func (u *upstreams) of(row int) (list []arrival, ended bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, a := range u.arrivals[row] {
		list = append(list, *a)
	}
	return list, u.open[row] == 0
}

// upstreamRequest is one request and the means to answer it.
type upstreamRequest struct {
	upstream string
	row      string // number of the row, a dot and the number of the sending
	method   string
	declared int64
	body     io.Reader
	answer   func(number, status int, whole bool)
	reset    func()
	breakOff func() // in the middle of the answer
	await    func() // until the gateway gives up
}

// serve handles one request as the behavior says.
func (u *upstreams) serve(b behavior, x upstreamRequest) {
	row, sending := 0, ""
	if number, rest, found := strings.Cut(x.row, "."); found {
		row, _ = strconv.Atoi(number)
		sending = rest
	}
	a := u.arrive(row, &arrival{upstream: x.upstream, sending: sending, method: x.method, declared: x.declared})
	defer u.leave(row)
	answer := func(status int, early bool) {
		u.change(func() { a.status, a.early = status, early })
		x.answer(a.number, status, b != breaks)
	}
	read := func(limit int64) {
		body, err := io.ReadAll(io.LimitReader(x.body, limit))
		ended := err == nil && int64(len(body)) < limit
		signed := u.signed(row)
		u.change(func() {
			a.read, a.ended, a.differs = int64(len(body)), ended, difference(body, signed)
		})
	}
	const all = 1 << 40
	switch b {
	case takesEarly, busyEarly:
		answer(statusFor(b), true)
		read(all)
		return
	case leavesEarly, busyLeaves:
		answer(statusFor(b), true)
		return
	case resets:
		read(max(x.declared, 0) / 2)
		x.reset()
		return
	}
	read(all)
	switch {
	case !a.ended: // as a server does if its client breaks off
		x.reset()
	case b == hangs:
		x.await()
	default:
		answer(statusFor(b), false)
		if b == breaks {
			x.breakOff()
		}
	}
}

func statusFor(b behavior) int {
	switch b {
	case fails:
		return http.StatusInternalServerError
	case busyEarly, busyLeaves:
		return http.StatusServiceUnavailable
	default:
		return http.StatusOK
	}
}

// difference describes how got differs from the signed body.
func difference(got, signed []byte) string {
	switch at := bytes.Index(signed, got); {
	case bytes.Equal(got, signed):
		return ""
	case len(got) == 0:
		return " (none)"
	case at == 0:
		return " (the beginning)"
	case at > 0:
		return fmt.Sprintf(" (from %d on)", at)
	}
	same := 0
	for same < min(len(got), len(signed)) && got[same] == signed[same] {
		same++
	}
	return fmt.Sprintf(" (others from %d on)", same)
}

func (u *upstreams) arrive(row int, a *arrival) *arrival {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count++
	a.number = u.count
	u.arrivals[row] = append(u.arrivals[row], a)
	u.open[row]++
	u.handling++
	return a
}

func (u *upstreams) leave(row int) {
	u.change(func() {
		u.open[row]--
		u.handling--
	})
	u.notice.Raise()
}

func (u *upstreams) change(do func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	do()
}

// listen serves connections on a free port until the test ends.
func (u *upstreams) listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// resetConn closes a connection so that its peer sees a reset.
func resetConn(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// serveHTTP1 writes its answers by hand, because net/http's server reads a body
// before it answers.
func (u *upstreams) serveHTTP1(conn net.Conn, b behavior) {
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		u.serve(b, upstreamRequest{
			upstream: "h1 " + string(b),
			row:      r.Header.Get("X-Row"),
			method:   r.Method,
			declared: r.ContentLength,
			body:     r.Body,
			answer: func(number, status int, whole bool) {
				text := "Content-Length: 2\r\n\r\nok"
				if !whole {
					text = "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
				}
				fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nX-Arrival: %d\r\n%s",
					status, http.StatusText(status), number, text)
			},
			reset:    func() { resetConn(conn) },
			breakOff: func() { conn.Close() },
			await:    func() { _, _ = in.ReadByte() },
		})
		if b != takes {
			return
		}
	}
}

func (u *upstreams) listenHTTP2(t *testing.T, b behavior) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.serve(b, upstreamRequest{
			upstream: "h2c " + string(b),
			row:      r.Header.Get("X-Row"),
			method:   r.Method,
			declared: r.ContentLength,
			body:     r.Body,
			answer: func(number, status int, whole bool) {
				w.Header().Set("Content-Type", "text/plain")
				w.Header().Set("X-Arrival", strconv.Itoa(number))
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "ok")
				_ = http.NewResponseController(w).Flush()
			},
			reset:    func() { panic(http.ErrAbortHandler) },
			breakOff: func() { panic(http.ErrAbortHandler) },
			await:    func() { <-r.Context().Done() },
		})
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(func() { server.Listener.Close() })
	return strings.TrimPrefix(server.URL, "http://")
}

// serveFastCGI is the part of the protocol that a gateway uses: one request on
// a connection. It answers when the body ends, however long that was, as PHP
// does.
func (u *upstreams) serveFastCGI(conn net.Conn, b behavior) {
	in := bufio.NewReader(conn)
	params, err := readParams(in)
	if err != nil {
		return
	}
	declared, err := strconv.ParseInt(params["CONTENT_LENGTH"], 10, 64)
	if err != nil {
		declared = -1
	}
	u.serve(b, upstreamRequest{
		upstream: "fcgi " + string(b),
		row:      params["HTTP_X_ROW"],
		method:   params["REQUEST_METHOD"],
		declared: declared,
		body:     &stdin{in: in},
		answer: func(number, status int, whole bool) {
			text := fmt.Sprintf("Status: %d\r\nContent-Type: text/plain\r\nX-Arrival: %d\r\n\r\nok", status, number)
			answer := record(fcgiStdout, text)
			if whole {
				answer = append(answer, record(fcgiStdout, "")...)
				answer = append(answer, record(fcgiEndRequest, strings.Repeat("\x00", 8))...)
			}
			_, _ = conn.Write(answer)
		},
		reset:    func() { resetConn(conn) },
		breakOff: func() { conn.Close() },
		await:    func() { _, _ = in.ReadByte() },
	})
}

// The types of records.
const (
	fcgiEndRequest = 3
	fcgiParams     = 4
	fcgiStdin      = 5
	fcgiStdout     = 6
)

func record(kind byte, content string) []byte {
	head := []byte{1, kind, 0, 1, 0, 0, 0, 0}
	endian.BigEndian.PutUint16(head[4:], uint16(len(content)))
	return append(head, content...)
}

func readRecord(in io.Reader) (byte, []byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, err
	}
	content := make([]byte, int(endian.BigEndian.Uint16(head[4:]))+int(head[6]))
	if _, err := io.ReadFull(in, content); err != nil {
		return 0, nil, err
	}
	return head[1], content[:len(content)-int(head[6])], nil
}

// readParams reads the parameters, up to the body.
func readParams(in io.Reader) (map[string]string, error) {
	var all []byte
	for {
		kind, content, err := readRecord(in)
		if err != nil {
			return nil, err
		}
		if kind != fcgiParams {
			continue
		}
		if len(content) == 0 {
			break
		}
		all = append(all, content...)
	}
	params := map[string]string{}
	for len(all) > 0 {
		var lengths [2]int
		for i := range lengths {
			switch {
			case all[0] < 0x80:
				lengths[i], all = int(all[0]), all[1:]
			case len(all) >= 4:
				lengths[i], all = int(endian.BigEndian.Uint32(all)&^(1<<31)), all[4:]
			default:
				return nil, errors.New("params are cut off")
			}
		}
		if len(all) < lengths[0]+lengths[1] {
			return nil, errors.New("params are cut off")
		}
		params[string(all[:lengths[0]])] = string(all[lengths[0] : lengths[0]+lengths[1]])
		all = all[lengths[0]+lengths[1]:]
	}
	return params, nil
}

// stdin is the body of a FastCGI request. It ends with an empty record.
type stdin struct {
	in    io.Reader
	rest  []byte
	ended bool
}

func (s *stdin) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		kind, content, err := readRecord(s.in)
		if err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		if kind == fcgiStdin {
			s.rest, s.ended = content, len(content) == 0
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
