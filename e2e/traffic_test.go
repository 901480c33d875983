package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// traffic sends many deliveries from senders that keep their connections. Each
// retries, at the next gateway, until its delivery is acknowledged.
type traffic struct {
	app      *harness.Application
	gateways []*harness.Gateway
	senders  int // each sender has one delivery in flight
	total    int
	client   *http.Client
	path     string // of the deliveries, if it is not the provider's own

	acknowledged atomic.Int64
	forgedPassed atomic.Int64
	longest      atomic.Int64 // the longest time until one was acknowledged, in nanoseconds

	mu      sync.Mutex
	refused map[string]int // the count of other answers
}

func newTraffic(app *harness.Application, total int, gateways ...*harness.Gateway) *traffic {
	const senders = 32
	return &traffic{
		app: app, gateways: gateways, senders: senders, total: total,
		client: &http.Client{
			Timeout:   harness.Patience,
			Transport: &http.Transport{MaxIdleConnsPerHost: 2 * senders, DisableCompression: true},
		},
		refused: map[string]int{},
	}
}

func (tr *traffic) delivery(n int) harness.Delivery {
	d := harness.CraneOps(fmt.Sprintf(`{"n":%d}`, n))
	return d.To(cmp.Or(tr.path, d.Path))
}

// post sends a delivery to one gateway and returns its answer.
func (tr *traffic) post(t *testing.T, g *harness.Gateway, d harness.Delivery) (a harness.Answer, err error) {
	r, err := http.NewRequestWithContext(t.Context(), d.Method, "http://"+g.Addr+d.Path, bytes.NewReader(d.Body))
	if err != nil {
		return harness.Answer{}, err
	}
	for _, h := range d.Headers {
		r.Header[h.Name] = append(r.Header[h.Name], h.Value)
	}
	response, err := tr.client.Do(r)
	if err != nil {
		return harness.Answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return harness.Answer{Status: response.StatusCode, Header: response.Header, Body: body}, err
}

// each calls f with every number below total, from all senders.
func (tr *traffic) each(f func(n int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range tr.senders {
		group.Go(func() {
			for n := int(next.Add(1)) - 1; n < tr.total; n = int(next.Add(1)) - 1 {
				f(n)
			}
		})
	}
	group.Wait()
}

// run sends everything, one in twenty with a forgery before it, and calls
// disturb when a third has been acknowledged.
func (tr *traffic) run(t *testing.T, disturb func()) {
	third := make(chan struct{})
	once := sync.OnceFunc(func() { close(third) })
	var group sync.WaitGroup
	group.Go(func() {
		tr.each(func(n int) {
			if n%20 == 0 {
				tr.forge(t, n)
			}
			tr.acknowledge(t, n)
			if tr.acknowledged.Add(1) >= int64(tr.total/3) {
				once()
			}
		})
	})
	<-third
	disturb()
	group.Wait()
}

func (tr *traffic) forge(t *testing.T, n int) {
	d := tr.delivery(n)
	d = d.Saying(append(d.Body, ' '))
	if a, err := tr.post(t, tr.gateways[n%len(tr.gateways)], d); err == nil && a.Status != http.StatusUnauthorized {
		tr.forgedPassed.Add(1)
	}
}

// acknowledge sends until a gateway answers 200.
func (tr *traffic) acknowledge(t *testing.T, n int) {
	const pause, enough = 20 * time.Millisecond, 3 * harness.Patience
	began := time.Now()
	for attempt := n; time.Since(began) < enough; attempt++ {
		a, err := tr.post(t, tr.gateways[attempt%len(tr.gateways)], tr.delivery(n))
		if err == nil && a.Status == http.StatusOK {
			for took := int64(time.Since(began)); ; {
				known := tr.longest.Load()
				if took <= known || tr.longest.CompareAndSwap(known, took) {
					return
				}
			}
		}
		why := "no answer"
		if err == nil {
			why = fmt.Sprintf("%d %s", a.Status, a.Reason())
		}
		tr.mu.Lock()
		tr.refused[why]++
		tr.mu.Unlock()
		time.Sleep(pause)
	}
	t.Errorf("delivery %d was never acknowledged", n)
}

// tally returns how many deliveries never arrived, how many arrived more than
// once, and how many Redis has forgotten, which are forwarded if they are sent
// again. The nodes are those that hold the history now. Answers from the time
// when Redis was away are recorded when it is back, so tally waits for them.
func (tr *traffic) tally(t *testing.T, nodes ...*redisServer) (lost, doubled, forgotten int) {
	t.Helper()
	tr.awaitRecords(t, nodes)
	times := tr.times()
	for n := range tr.total {
		switch count := times[string(tr.delivery(n).Body)]; {
		case count == 0:
			lost++
		case count > 1:
			doubled++
		}
	}
	forged := 0
	for body := range times {
		if body[len(body)-1] == ' ' {
			forged++
		}
	}
	if forged > 0 || tr.forgedPassed.Load() > 0 {
		t.Errorf("%d forgeries reached the application, %d were not answered 401", forged, tr.forgedPassed.Load())
	}
	var again atomic.Int64
	tr.each(func(n int) {
		if a, err := tr.post(t, tr.gateways[n%len(tr.gateways)], tr.delivery(n)); err != nil || a.Verdict() != "duplicate" {
			again.Add(1)
		}
	})
	t.Logf("%d deliveries from %d senders: lost %d, doubled %d, not known to Redis afterwards %d; not acknowledged at once: %v; the longest took %v",
		tr.total, tr.senders, lost, doubled, again.Load(), tr.refused, time.Duration(tr.longest.Load()).Round(time.Millisecond))
	return lost, doubled, int(again.Load())
}

// countDelivered counts the entries of a node that are delivered and not only
// reserved.
const countDelivered = `
local n = 0
for _, key in ipairs(redis.call('KEYS', '*')) do
	n = n + (string.sub(redis.call('GET', key), 1, 2) == 'd:' and 1 or 0)
end
return n`

func (tr *traffic) awaitRecords(t *testing.T, nodes []*redisServer) {
	t.Helper()
	const enough = 3 * time.Second
	for began := time.Now(); time.Since(began) < enough; time.Sleep(50 * time.Millisecond) {
		records := 0
		for _, s := range nodes {
			n, err := strconv.Atoi(s.mustAsk(t, "EVAL", countDelivered, "0"))
			if err != nil {
				t.Fatal(err)
			}
			records += n
		}
		if records >= tr.total {
			return
		}
	}
}

func (tr *traffic) times() map[string]int {
	times := map[string]int{}
	for _, r := range tr.app.All() {
		times[string(r.Body)]++
	}
	return times
}
