package e2e

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

var wholeBodyRows = flag.String("rows", "", "run only the rows of TestWholeBody whose name matches this expression")

// row is one delivery over one route, sent twice.
type row struct {
	pair
	number  int
	size    size
	fault   behavior // of the first sending; takes means none
	atAudit bool     // the audit's upstream has the fault
	chunked bool     // the sender does not declare the length
}

type size struct {
	name  string
	bytes int
}

func bodySizes() []size {
	return []size{{"0B", 0}, {"100B", 100}, {"5KB", 5 << 10}, {"300KB", 300 << 10}, {"3MB", 3 << 20}}
}

func (r row) String() string {
	name := r.reader.name + "/" + r.end.name + "/" + r.size.name + "/"
	if r.atAudit {
		name += "audit-"
	}
	return name + string(r.fault)
}

// mustArrive reports whether the first sending must be delivered: nothing
// fails, or another upstream can get the whole body.
func (r row) mustArrive() bool {
	switch r.fault {
	case takes:
		return true
	case refuses:
		return !r.atAudit && r.end.backup != "" && !r.end.readsOn
	case resets, hangs:
		return !r.atAudit && r.end.retries && !r.reader.once
	case fails:
		return !r.atAudit && r.end.statuses && !r.reader.once
	default:
		return false
	}
}

// wholeBodyTable covers every route without a fault, and every fault on some
// routes of each kind. The routes without a reader, and those after an audit over
// HTTP/1.1, meet every fault. Sizes are taken in turn.
func wholeBodyTable() []row {
	var rows []row
	seen := map[string]bool{}
	add := func(p pair, s size, fault behavior, atAudit bool) {
		r := row{pair: p, number: len(rows), size: s, fault: fault, atAudit: atAudit}
		if seen[r.String()] {
			return
		}
		seen[r.String()] = true
		hash := fnv.New32a()
		_, _ = io.WriteString(hash, r.String())
		r.chunked = hash.Sum32()%3 == 0
		rows = append(rows, r)
	}
	sizes := bodySizes()
	turn := 0
	next := func(sizes []size) size {
		turn++
		return sizes[turn%len(sizes)]
	}
	for number, p := range wholeBodyPairs() {
		key := p.reader.name == "none" || p.reader.name == "audit-h1"
		if key || p.end.name == "h1" {
			for _, s := range sizes {
				add(p, s, takes, false)
			}
		} else {
			add(p, next(sizes), takes, false)
			add(p, next(sizes[2:]), takes, false)
		}
		faults := p.end.faults()
		if !key && len(faults) > 3 {
			faults = inTurn(faults, number, 3)
		}
		for _, fault := range faults {
			add(p, next(sizes[1:]), fault, false)
			if key {
				add(p, next(sizes), fault, false)
			}
		}
		if p.reader.audit != "" && (p.end.name == "h1" || p.end.name == "fcgi") {
			for _, fault := range mistakes(p.reader.audit) {
				add(p, next(sizes[1:]), fault, true)
			}
		}
	}
	return rows
}

// inTurn returns n elements of the list, starting at a different one each time.
func inTurn(list []behavior, time, n int) []behavior {
	var some []behavior
	for i := range n {
		some = append(some, list[(time*n+i)%len(list)])
	}
	return some
}

// mistakes returns the faults of an upstream that take no time. Over HTTP/2
// there is none that is busy and reads on: the gateway stops in the middle of
// the body, and both sides would wait for each other.
func mistakes(protocol string) []behavior {
	list := []behavior{refuses, resets, fails, breaks, takesEarly, leavesEarly, busyLeaves}
	if protocol != "h2c" {
		list = append(list, busyEarly)
	}
	return list
}

// faults returns the faults of the first upstream.
func (e endpoint) faults() []behavior {
	switch {
	case e.first == "":
		return nil
	case e.hurries:
		return []behavior{hangs}
	default:
		return mistakes(e.first)
	}
}

// wholeBodyPairs combines every reader with the simplest endpoints, and every
// endpoint with a reader of each kind.
func wholeBodyPairs() []pair {
	someReaders := []string{"none", "forward_auth", "audit-h1", "audit-fcgi", "audit-h1-less", "intercept-h1", "vars-body", "verify-again"}
	someEnds := []string{"h1", "h1-less", "h2c", "fcgi", "h1-retry", "respond-body"}
	var pairs []pair
	for _, reader := range bodyReaders() {
		for _, end := range endpoints() {
			p := pair{reader, end}
			if p.possible() && (slices.Contains(someReaders, reader.name) || slices.Contains(someEnds, end.name)) {
				pairs = append(pairs, p)
			}
		}
	}
	return pairs
}

// TestWholeBody checks that an application receives the whole signed body, or
// that the delivery is not recorded, whatever reads, buffers or fails after
// verify_webhook.
//
// Every row is sent twice. Something may fail the first time. Nothing fails the
// second time: it is a duplicate if the first was delivered, and arrives if it was
// not. Each failing row is one line, and -rows repeats some of them.
//
// All rows share one process. A proxy that spoils Caddy's buffers can therefore
// fail rows of other routes that buffer.
func TestWholeBody(t *testing.T) {
	t.Parallel()
	rows := wholeBodyTable()
	if *wholeBodyRows != "" {
		wanted := regexp.MustCompile(*wholeBodyRows)
		rows = slices.DeleteFunc(rows, func(r row) bool { return !wanted.MatchString(r.String()) })
	}
	noise := newNoise(rows)
	up := newUpstreams(t, noise.body)
	g := harness.Start(t, wholeBodySite(pairsOf(rows)), append(harness.Secrets(),
		"E2E_LOG_LEVEL=INFO", "OTEL_TRACES_EXPORTER=none")...)
	shapeRoutes(t, g)

	// Shuffle, so that rows of one route seldom wait for each other.
	rand.New(rand.NewPCG(0, 0)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	var results, routes sync.Map
	began := time.Now()
	queue := make(chan row)
	var senders sync.WaitGroup
	run := func(r row) {
		if r.end.retries {
			lock, _ := routes.LoadOrStore(r.label(), new(sync.Mutex))
			lock.(*sync.Mutex).Lock()
			defer lock.(*sync.Mutex).Unlock()
		}
		results.Store(r.number, sendTwice(t, g, up, r, noise.body(r.number)))
	}
	for range 12 {
		senders.Go(func() {
			for r := range queue {
				run(r)
			}
		})
	}
	for _, r := range rows {
		queue <- r
	}
	close(queue)
	senders.Wait()
	took := time.Since(began)
	up.finish()

	slices.SortFunc(rows, func(a, b row) int { return a.number - b.number })
	kinds := map[string]int{}
	failed := 0
	for _, r := range rows {
		sent, _ := results.Load(r.number)
		faults := judge(up, r, sent.([2]reply), noise.body(r.number))
		if len(faults) == 0 {
			continue
		}
		failed++
		var texts []string
		for _, f := range faults {
			kinds[f.kind]++
			texts = append(texts, f.kind+": "+f.text)
		}
		t.Errorf("%s: %s", r, strings.Join(texts, "; "))
	}
	t.Logf("%d rows over %d routes in %v, %d failed", len(rows), len(pairsOf(rows)), took.Round(time.Second/10), failed)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%5d %s", kinds[kind], kind)
	}
}

func pairsOf(rows []row) []pair {
	seen := map[string]bool{}
	var pairs []pair
	for _, r := range rows {
		if !seen[r.label()] {
			seen[r.label()] = true
			pairs = append(pairs, r.pair)
		}
	}
	return pairs
}

// noise holds the bodies of all rows. Each is a slice of the same random bytes,
// with a different start.
type noise struct {
	bytes []byte
	sizes map[int]int
}

func newNoise(rows []row) noise {
	n := noise{sizes: map[int]int{}}
	last := 0
	for _, r := range rows {
		n.sizes[r.number] = r.size.bytes
		last = max(last, r.number)
	}
	n.bytes = make([]byte, last*16+3<<20)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(n.bytes)
	return n
}

func (n noise) body(row int) []byte {
	return n.bytes[row*16:][:n.sizes[row]]
}

// reply is the answer to one sending. Its status is 0 if there is none.
type reply struct {
	harness.Answer
	err error
}

// sendTwice sends the row with its fault, and again without.
func sendTwice(t *testing.T, g *harness.Gateway, up *upstreams, r row, body []byte) (got [2]reply) {
	d := harness.McEasy(string(body), time.Now(), strconv.Itoa(r.number+1), strconv.Itoa(r.number+1)).To(r.path() + "/hook")
	for sending := range got {
		audit, first := takes, takes
		if sending == 0 {
			if r.atAudit {
				audit = r.fault
			} else {
				first = r.fault
			}
		}
		now := d.With("X-Row", fmt.Sprintf("%d.%d", r.number, sending+1)).
			With("X-Audit", up.address(r.reader.audit, audit)).
			With("X-First", up.address(r.end.first, first)).
			With("X-Backup", up.address(r.end.backup, takes))
		send := harness.SendGo
		if r.chunked {
			send = harness.SendChunked
		}
		got[sending].Answer, got[sending].err = send(t, g, now)
	}
	return got
}

// violation is a broken rule.
type violation struct{ kind, text string }

// judge checks the arrivals and answers of a row against the rule.
func judge(up *upstreams, r row, got [2]reply, body []byte) []violation {
	var found []violation
	add := func(kind, text string, args ...any) {
		found = append(found, violation{kind, fmt.Sprintf(text, args...)})
	}
	arrivals, handled := up.of(r.number)
	if !handled {
		add("still being sent", "answered %v, then %v", got[0], got[1])
	}
	for _, a := range arrivals {
		if a.method != http.MethodGet && a.complete() && (a.differs != "" || a.read != int64(len(body))) {
			add("wrong body", "sending %s: %v", a.sending, a)
		}
	}
	for i, s := range got {
		sending := strconv.Itoa(i + 1)
		duplicate := s.Verdict() == "duplicate"
		if s.took() && !duplicate {
			judgeAnswer(add, r, s, arrivals, sending, body)
		}
	}
	first, second := got[0], got[1]
	again := slices.ContainsFunc(arrivals, func(a arrival) bool { return a.sending == "2" })
	switch {
	case first.Verdict() == "duplicate":
		add("new, but a duplicate", "%v", first)
	case first.took() && (second.Verdict() != "duplicate" || second.Status != http.StatusOK):
		add("delivered, but not recorded", "answered %v, then %v", first, second)
	case first.took() && again:
		add("delivered, but forwarded again", "answered %v, then %v", first, second)
	case !first.took() && second.Verdict() == "duplicate":
		add("not delivered, but recorded", "answered %v, then %v", first, second)
	case !first.took() && second.Reason() == "in_flight":
		add("not delivered, but still held", "answered %v, then %v", first, second)
	case !first.took() && !second.took():
		add("never delivered", "answered %v, then %v", first, second)
	case !first.took() && r.mustArrive():
		add("not delivered at once", "answered %v", first)
	}
	return found
}

// took reports whether the sender considers the delivery accepted.
func (s reply) took() bool { return s.Status >= 200 && s.Status <= 299 }

func (s reply) String() string {
	if s.Status == 0 {
		return fmt.Sprintf("nothing (%v)", s.err)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", s.Status, s.Reason()))
}

// judgeAnswer compares a 2xx with the bodies that the applications received.
func judgeAnswer(add func(string, string, ...any), r row, s reply, arrivals []arrival, sending string, body []byte) {
	var by *arrival
	numbers := s.Header.Values("X-Arrival")
	for i, a := range arrivals {
		if a.sending != sending {
			continue
		}
		if len(numbers) > 0 && strconv.Itoa(a.number) == numbers[len(numbers)-1] {
			by = &arrivals[i]
		}
		took := a.status >= 200 && a.status <= 299
		if took && a.method != http.MethodGet && !a.early && a.differs != "" {
			add("recorded, but one application got less", "sending %s: %v", sending, a)
		}
	}
	switch {
	case r.end.echoes:
		if echoed, err := s.text(); err != nil || !bytes.Equal(echoed, body) {
			add("the gateway read another body", "sending %s: %d bytes%s", sending, len(echoed), difference(echoed, body))
		}
	case r.end.first == "":
	case by == nil:
		add("answered by nobody", "sending %s: %v", sending, s)
	case by.early && by.declared != int64(len(body)):
		add("offered less", "sending %s: %v", sending, by)
	case !by.early && by.differs != "":
		add("recorded, but not delivered", "sending %s: %v", sending, by)
	}
}

// text returns the uncompressed body of the answer.
func (s reply) text() ([]byte, error) {
	if s.Header.Get("Content-Encoding") != "gzip" {
		return s.Body, nil
	}
	plain, err := gzip.NewReader(bytes.NewReader(s.Body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}
