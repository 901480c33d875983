package deliveries

import (
	"encoding/json"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 700e6, time.UTC)

func newList(room int) *List {
	l := NewList()
	l.Resize("configuration", room)
	return l
}

func (l *List) of(verdict, id string) uint64 {
	return l.Add(&Delivery{Provider: "p", Scheme: "s", Verdict: verdict, ID: id, Time: Timestamp{testTime}})
}

func ids(list []Delivery) string {
	var all []string
	for _, d := range list {
		all = append(all, d.ID)
	}
	return strings.Join(all, " ")
}

func TestListKeepsTheLast(t *testing.T) {
	l := newList(4)
	for i := range 6 {
		l.of(Accepted, fmt.Sprint(i))
	}
	if got := ids(l.Select(Filter{})); got != "5 4 3 2" {
		t.Errorf("listed %s", got)
	}
}

// TestRejectedTakeHalf checks that a flood of rejected deliveries does not
// displace accepted ones.
func TestRejectedTakeHalf(t *testing.T) {
	l := newList(6)
	for i := range 6 {
		l.of(Accepted, fmt.Sprint("a", i))
	}
	for i := range 1000 {
		l.of("rejected", fmt.Sprint("r", i))
	}
	if got := ids(l.Select(Filter{})); got != "r999 r998 r997 a5 a4 a3" {
		t.Errorf("listed %s", got)
	}
	for i := range 6 {
		l.of(Accepted, fmt.Sprint("b", i))
	}
	if got := ids(l.Select(Filter{})); got != "b5 b4 b3 b2 b1 b0" {
		t.Errorf("listed %s", got)
	}
}

// TestDelivery checks that a delivery is the same after packing and unpacking.
func TestDelivery(t *testing.T) {
	age := int64(-3)
	d := Delivery{
		Time: Timestamp{testTime}, Provider: "p", Scheme: "s", Tenant: "t", Verdict: "rejected", Reason: "stale",
		ID: "evt_1", Event: "e", Size: 12, Age: &age, Key: 2, Status: 401, Application: 204, Duration: 0.0015,
		Client: "::1", Method: "POST", Path: "/hook", Attempt: 3, Inbox: "kept", Hint: "h", Observed: true,
	}
	l := newList(10)
	d.Number = l.Add(&d)
	got, ok := l.Get(d.Number)
	a, _ := json.Marshal(d)
	b, _ := json.Marshal(got)
	if !ok || string(a) != string(b) {
		t.Errorf("%s, want %s", b, a)
	}
	if !strings.Contains(string(a), `"time":"2026-01-02T03:04:05.700Z"`) || !strings.Contains(string(a), `"duration":0.0015`) {
		t.Error(string(a))
	}
	if _, ok := l.Get(d.Number + 1); ok {
		t.Error("found what is not there")
	}
}

func TestTextsAreCut(t *testing.T) {
	l := newList(4)
	long := strings.Repeat("ä", 200)
	d := Delivery{Verdict: Accepted, ID: long, Event: "x" + long, Path: long}
	got, _ := l.Get(l.Add(&d))
	if got.ID != long[:256] || got.Event != "x"+long[:254] || got.Path != long[:256] {
		t.Errorf("%d %d %d bytes", len(got.ID), len(got.Event), len(got.Path))
	}
}

// TestMemory checks that a thousand deliveries take at most 1 MiB, whatever
// they contain.
func TestMemory(t *testing.T) {
	for _, length := range []int{30, 256, 10_000} {
		long := strings.Repeat("x", length)
		before := heap()
		l := newList(1000)
		for i := range 5000 {
			d := Delivery{Verdict: []string{Accepted, "rejected"}[i%2], ID: long, Event: long, Path: long, Method: long, Tenant: long, Hint: long, Client: "192.0.2.1"}
			l.Add(&d)
		}
		if took := heap() - before; took > 1<<20 {
			t.Errorf("texts of %d bytes: %d bytes", length, took)
		}
		if length == 30 && len(l.Select(Filter{})) != 1000 {
			t.Errorf("%d listed", len(l.Select(Filter{})))
		}
		runtime.KeepAlive(l)
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestReloads checks that the largest room that a live configuration asks for
// counts.
func TestReloads(t *testing.T) {
	l := NewList()
	if l.Add(&Delivery{Verdict: Accepted}) != 0 {
		t.Error("a list without room remembers")
	}
	l.Resize("first", 3)
	for i := range 3 {
		l.of(Accepted, fmt.Sprint(i))
	}
	l.Resize("fails", 0)
	l.Forget("fails")
	if got := ids(l.Select(Filter{})); got != "2 1 0" {
		t.Errorf("after a failed reload: %s", got)
	}
	l.Resize("second", 2)
	l.Forget("first")
	if got := ids(l.Select(Filter{})); got != "2 1" {
		t.Errorf("after a reload: %s", got)
	}
	l.Forget("second")
	if got := ids(l.Select(Filter{})); got != "2 1" {
		t.Errorf("after the last configuration: %s", got)
	}
	l.Resize("third", 0)
	if got := ids(l.Select(Filter{})); got != "" || l.On() {
		t.Errorf("switched off: %s", got)
	}
}

func TestNumbersBeginElsewhere(t *testing.T) {
	first, second := newList(1).of(Accepted, ""), newList(1).of(Accepted, "")
	if first%100_000 != 1 || second%100_000 != 1 || first < 100_000 {
		t.Errorf("begin at %d and %d", first, second)
	}
}

func TestFilter(t *testing.T) {
	l := newList(100)
	for i, d := range []Delivery{
		{Provider: "p", Scheme: "s", Tenant: "t", Verdict: Accepted, ID: "0", Event: "e"},
		{Provider: "q", Scheme: "s", Verdict: "rejected", Reason: "stale", ID: "1"},
		{Provider: "p", Scheme: "r", Verdict: "duplicate", Reason: "duplicate", ID: "2"},
		{Provider: "p", Scheme: "s", Verdict: Accepted, ID: strings.Repeat("3", 300)},
	} {
		d.Time = Timestamp{testTime.Add(time.Duration(i) * time.Hour)}
		l.Add(&d)
	}
	first := l.Select(Filter{ID: "0"})[0].Number
	long := strings.Repeat("3", 300)
	now := testTime.Add(4 * time.Hour)
	for query, want := range map[string]string{
		"":                    long[:256] + " 2 1 0",
		"provider=p&scheme=s": long[:256] + " 0",
		"tenant=t":            "0",
		"verdict=rejected":    "1",
		"reason=duplicate":    "2",
		"event=e":             "0",
		"id=" + long:          long[:256],
		"since=2h":            long[:256] + " 2",
		"since=1d":            long[:256] + " 2 1 0",
		"since=" + url.QueryEscape(testTime.Add(3*time.Hour).Format(time.RFC3339Nano)): long[:256],
		fmt.Sprint("after=", first+1):  long[:256] + " 2",
		"limit=1":                      long[:256],
		"limit=1&verdict=accepted":     long[:256],
		"provider=q&verdict=duplicate": "",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFilter(values, now)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := ids(l.Select(f)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{
		"since=yesterday", "since=-1h", "since=1e300d", "since=NaNd", "after=-1", "after=x", "limit=0", "limit=x", "verdict=ok",
		"unknown=1", "provider=", "provider=a&provider=b",
	} {
		values, _ := url.ParseQuery(query)
		if _, err := ParseFilter(values, now); err == nil {
			t.Errorf("%s is a filter", query)
		}
	}
}

func TestFollow(t *testing.T) {
	l := newList(10)
	l.of(Accepted, "0")
	l.of("rejected", "1")
	shown := l.Follow(Filter{Verdict: Accepted}, true)
	if ids(shown.Backlog) != "0" {
		t.Errorf("backlog %s", ids(shown.Backlog))
	}
	l.of("rejected", "2")
	l.of(Accepted, "3")
	if d := <-shown.Coming(); d.ID != "3" {
		t.Errorf("shown %s", d.ID)
	}
	shown.End()
	l.of(Accepted, "4")
	if _, more := <-shown.Coming(); more {
		t.Error("shown after its end")
	}
}

// TestSlowFollower checks that a follower that does not read is dropped, and
// that nothing waits for it.
func TestSlowFollower(t *testing.T) {
	l := newList(10)
	slow, quick := l.Follow(Filter{}, false), l.Follow(Filter{ID: "last"}, false)
	for range followerRoom + 1 {
		l.of(Accepted, "")
	}
	n := 0
	for range slow.Coming() {
		n++
	}
	if n != followerRoom || !slow.TooSlow() {
		t.Errorf("%d shown, too slow: %v", n, slow.TooSlow())
	}
	slow.End()
	l.of(Accepted, "last")
	if d := <-quick.Coming(); d.ID != "last" {
		t.Error("another follower was dropped too")
	}
	l.EndFollowers()
	if _, more := <-quick.Coming(); more {
		t.Error("goes on after the configuration's end")
	}
	if quick.TooSlow() {
		t.Error("too slow where its configuration ended")
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, room := range []int{0, 1000} {
		b.Run(fmt.Sprint(room), func(b *testing.B) {
			l := newList(room)
			d := Delivery{Provider: "p", Scheme: "s", Verdict: Accepted, ID: "sha256-e66bf0db385aa409805d35bd3f05891c", Event: "invoice.paid", Path: "/hook", Method: "POST", Client: "192.0.2.1"}
			b.ReportAllocs()
			for b.Loop() {
				l.Add(&d)
			}
		})
	}
}
