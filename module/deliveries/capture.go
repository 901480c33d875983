package deliveries

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Capture is a whole delivery, as `webhook show` and the page show it.
type Capture struct {
	Delivery
	// URI is the URI as it was sent, with the query.
	URI string `json:"uri"`
	// URL is the URL that the provider has, if the scheme signs it.
	URL string `json:"url,omitempty"`
	// Headers are the headers that the handler saw, including Host. Body is the
	// body.
	Headers map[string][]string `json:"headers"`
	Body    []byte              `json:"body"`
	// Request is the handler's data for judging or delivering it again.
	Request Request `json:"-"`

	expires   time.Time
	captures  *captures
	settled   bool
	postponed uint64 // a higher one is judged again later; 0 at first
}

// Request is a captured request as the handler keeps it.
type Request interface {
	// Size returns the memory that it takes besides URI, headers and body, in
	// bytes.
	Size() int
}

// Whole is one delivery as the admin endpoint returns it. For a captured
// rejected delivery, it includes the explanation that webhook verify would
// print.
type Whole struct {
	Capture
	ExplainedBy string `json:"explained_by,omitempty"`
	WhatToDo    string `json:"what_to_do,omitempty"`
}

// HeadersText returns the headers in the form that webhook verify reads. It
// includes the URL and the method if the scheme signs them. Line ends in values
// become spaces, so that no value can look like another header.
func (c *Capture) HeadersText() string {
	oneLine := strings.NewReplacer("\r", " ", "\n", " ")
	var text strings.Builder
	write := func(name, value string) {
		text.WriteString(oneLine.Replace(name) + ": " + oneLine.Replace(value) + "\n")
	}
	if c.URL != "" {
		write("Request URL", c.URL)
		write("Request method", c.Method)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		for _, value := range c.Headers[name] {
			write(name, value)
		}
	}
	return text.String()
}

// size returns roughly how much memory a capture takes, in bytes.
func (c *Capture) size() int64 {
	const least, each = 1 << 10, 64
	n := least + len(c.Body) + len(c.URI) + len(c.URL)
	if c.Request != nil {
		n += c.Request.Size()
	}
	for name, values := range c.Headers {
		n += each + len(name)
		for _, value := range values {
			n += each + len(value)
		}
	}
	return int64(n)
}

// Capturing is how the deliveries of a label are captured. Captures stay as
// long as some configuration captures that label in the same way.
type Capturing struct {
	Provider string
	Keep     int // how many rejected ones, and how many others
	For      time.Duration
}

// Memory is the budget that captures take their bytes from. GiveBack must not
// wait for a goroutine that waits for the list.
type Memory interface {
	Most() int64 // the most that all captures may take together
	Take(bytes int64) bool
	GiveBack(bytes int64)
}

// captures are the captures of a label. Rejected ones are kept apart from the
// others, so that a flood of forgeries cannot push out authentic deliveries.
type captures struct {
	users           int // configurations
	settings        Capturing
	memory          Memory
	rejected, other []*Capture // the oldest first
}

func (c *captures) ring(verdict string) *[]*Capture {
	if verdict == "rejected" {
		return &c.rejected
	}
	return &c.other
}

// Capture begins capturing for a configuration, until the returned function is
// called.
func (l *List) Capture(settings Capturing, memory Memory) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.captures[settings]
	if c == nil {
		c = &captures{settings: settings}
		l.captures[settings] = c
	}
	c.users++
	c.memory = memory
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if c.users--; c.users > 0 {
			return
		}
		delete(l.captures, settings)
		for _, captured := range slices.Concat(c.rejected, c.other) {
			l.discard(captured)
		}
	}
}

// AddCaptured adds a delivery to the list and captures it if there is memory.
// It returns the number of the delivery.
func (l *List) AddCaptured(settings Capturing, captured *Capture) uint64 {
	l.mu.Lock()
	c := l.captures[settings]
	l.mu.Unlock()
	taken := c != nil && l.makeRoom(c.memory, captured.size())
	l.mu.Lock()
	defer l.mu.Unlock()
	captured.Captured = taken
	captured.Number = l.add(&captured.Delivery)
	switch {
	case !taken:
		return captured.Number
	case l.captures[settings] != c: // it has ended meanwhile
		c.memory.GiveBack(captured.size())
		return captured.Number
	}
	captured.expires, captured.captures = time.Now().Add(settings.For), c
	l.captured[captured.Number] = captured
	ring := c.ring(captured.Verdict)
	*ring = append(*ring, captured)
	if len(*ring) > settings.Keep {
		l.discard(victim(*ring))
	}
	l.expireAt(captured.expires)
	return captured.Number
}

// makeRoom takes memory for a capture. If there is too little, it drops other
// captures, those of the largest ring first. It is called without the lock,
// because Memory has a lock of its own.
func (l *List) makeRoom(memory Memory, bytes int64) bool {
	if bytes > memory.Most() {
		return false
	}
	for !memory.Take(bytes) {
		if !l.Reclaim(1) {
			return false
		}
	}
	return true
}

// Reclaim drops captures of at least that many bytes, or all captures, and
// reports whether it dropped any.
func (l *List) Reclaim(bytes int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	dropped := false
	for bytes > 0 {
		ring := l.largestRing()
		if ring == nil {
			return dropped
		}
		c := victim(ring)
		bytes -= c.size()
		l.discard(c)
		dropped = true
	}
	return dropped
}

// largestRing returns the ring that takes the most memory.
func (l *List) largestRing() (largest []*Capture) {
	var most int64
	for _, c := range l.captures {
		for _, ring := range [][]*Capture{c.rejected, c.other} {
			var bytes int64
			for _, captured := range ring {
				bytes += captured.size()
			}
			if bytes > most {
				largest, most = ring, bytes
			}
		}
	}
	return largest
}

// victim returns the capture that a full ring drops: of the tenant with the
// most captures, the oldest one of the client with the most.
func victim(ring []*Capture) *Capture {
	tenant := mostOf(ring, func(c *Capture) string { return c.Tenant })
	ring = slices.DeleteFunc(slices.Clone(ring), func(c *Capture) bool { return c.Tenant != tenant })
	client := mostOf(ring, func(c *Capture) string { return network(c.Client) })
	return ring[slices.IndexFunc(ring, func(c *Capture) bool { return network(c.Client) == client })]
}

// mostOf returns the most frequent key. Of several, it returns the one that
// came first.
func mostOf(ring []*Capture, key func(*Capture) string) (most string) {
	counts := map[string]int{}
	for _, c := range ring {
		counts[key(c)]++
	}
	best := 0
	for _, c := range ring {
		if k := key(c); counts[k] > best {
			most, best = k, counts[k]
		}
	}
	return most
}

// network returns the network that one sender controls: an IPv4 address, or an
// IPv6 prefix of 64 bits.
func network(client string) string {
	address, err := netip.ParseAddr(client)
	if err != nil || address.Unmap().Is4() {
		return client
	}
	const bitsOfOne = 64
	prefix, err := address.WithZone("").Prefix(bitsOfOne)
	if err != nil {
		return client
	}
	return prefix.String()
}

// discard drops a capture. It is called with the lock held.
func (l *List) discard(captured *Capture) {
	c := captured.captures
	for _, ring := range []*[]*Capture{&c.rejected, &c.other} {
		*ring = slices.DeleteFunc(*ring, func(each *Capture) bool { return each == captured })
	}
	delete(l.captured, captured.Number)
	c.memory.GiveBack(captured.size())
}

// expire drops the captures that have been kept for long enough, and sets a
// timer for the rest.
func (l *List) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	var next time.Time
	for _, c := range slices.Collect(maps.Values(l.captured)) {
		switch {
		case !c.expires.After(now):
			l.discard(c)
		case next.IsZero() || c.expires.Before(next):
			next = c.expires
		}
	}
	l.expiry = nil
	if !next.IsZero() {
		l.expireAt(next)
	}
}

// expireAt makes expire run at that time at the latest.
func (l *List) expireAt(at time.Time) {
	switch {
	case l.expiry == nil:
		l.expiry, l.expires = time.AfterFunc(time.Until(at), l.expire), at
	case at.Before(l.expires):
		l.expiry.Reset(time.Until(at))
		l.expires = at
	}
}

// Captured returns a capture by its number.
func (l *List) Captured(number uint64) (Capture, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.captured[number]; ok {
		return *c, true
	}
	return Capture{}, false
}

// Rejected returns the captured deliveries of a label that were rejected and
// not passed on, the oldest first, and postponed ones last. If tenant is not
// empty, it returns only those of the tenant. It leaves out settled ones.
func (l *List) Rejected(provider, tenant string) []Capture {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []Capture
	for _, number := range slices.Sorted(maps.Keys(l.captured)) {
		c := l.captured[number]
		if c.Provider == provider && (tenant == "" || c.Tenant == tenant) && c.Verdict == "rejected" && !c.Observed && !c.settled {
			found = append(found, *c)
		}
	}
	slices.SortStableFunc(found, func(a, b Capture) int { return cmp.Compare(a.postponed, b.postponed) })
	return found
}

// Postpone moves a rejected delivery after all others that Rejected returns.
func (l *List) Postpone(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.captured[number]; ok {
		l.postponed++
		c.postponed = l.postponed
	}
}

// Settle removes a rejected delivery from those that Rejected returns.
func (l *List) Settle(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.captured[number]; ok {
		c.settled = true
	}
}

// Erase drops a capture, and reports whether there was one.
func (l *List) Erase(number uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c, ok := l.captured[number]
	if ok {
		l.discard(c)
	}
	return ok
}

// EraseAll drops the captures of a label.
func (l *List) EraseAll(provider string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range slices.Collect(maps.Values(l.captured)) {
		if c.Provider == provider {
			l.discard(c)
		}
	}
}
