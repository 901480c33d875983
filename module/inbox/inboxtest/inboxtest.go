// Package inboxtest contains the contract of an inbox as tests. Every store
// must pass them.
package inboxtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/replay"
)

// MaxSize is the max_size that inboxes under test are opened with. Only one of
// the contract tests fills it.
const MaxSize = 8 << 20

// Subject is a store under test.
type Subject struct {
	// Open opens the inbox of an owner with MaxSize. A second call with the same
	// owner simulates a reload of the configuration. The test closes the inbox.
	Open func(t *testing.T, o inbox.Owner) inbox.Inbox
	// Advance lets time pass.
	Advance func(d time.Duration)
	// SetClock moves the machine's clock without letting time pass.
	SetClock func(d time.Duration)
	// Broken opens an inbox whose store cannot be written and which contains one
	// delivery, Delivery(1). It returns a function that repairs the store. It is
	// nil if the store cannot fail.
	Broken func(t *testing.T, o inbox.Owner) (in inbox.Inbox, repair func())
	// Hang opens an inbox and makes its store hang until resume is called. It is
	// nil if the store waits for nothing.
	Hang func(t *testing.T, o inbox.Owner) (in inbox.Inbox, hang, resume func())
}

// Owner is the owner of the deliveries in most tests.
var Owner = inbox.Owner{Provider: "shop", Scheme: "github"}

// Run runs the contract against fresh subjects.
func Run(t *testing.T, fresh func(t *testing.T) Subject) {
	for name, test := range map[string]func(*testing.T, Subject){
		"what is kept comes back":                comesBack,
		"bodies of every size":                   bodiesOfEverySize,
		"kept is busy until its holder ends":     keptIsBusy,
		"what waits is answered for":             judged,
		"what waits is kept once":                keptOnce,
		"many keep one delivery":                 manyKeepOne,
		"in the order of due times":              dueOrder,
		"later is later":                         laterIsLater,
		"hurry makes due what waits for it":      hurryMakesDue,
		"dead is not attempted":                  deadIsDead,
		"a hold ends once":                       holdEndsOnce,
		"finished is gone":                       finishedIsGone,
		"what waits too long is dead":            expires,
		"the operator retries and drops":         operated,
		"delivered after all":                    deliveredAfterAll,
		"full":                                   full,
		"everything is counted and listed":       countedAndListed,
		"a long list":                            longList,
		"owners are apart":                       ownersAreApart,
		"an inbox survives a reload":             survivesReload,
		"an inbox survives a restart":            survivesRestart,
		"closed time does not count":             closedTime,
		"the machine's clock may be set":         clockIsSet,
		"a store error is an error":              errorsAreErrors,
		"a deadline is kept":                     deadlinesAreKept,
		"many at once":                           manyAtOnce,
		"keys of an entry are free once it went": keysAreFree,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// Key returns a key made from a number.
func Key(n uint64) (k replay.Key) {
	binary.BigEndian.PutUint64(k[:], n)
	return k
}

// Delivery returns a delivery made from a number, without an occurrence.
func Delivery(n uint64) inbox.Entry {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(n) * time.Second)
	return inbox.Entry{
		Owner: Owner,
		Facts: inbox.Facts{
			ID: fmt.Sprintf("evt_%d", n), Secret: 2, Event: "invoice.paid", Tenant: "größe\xff", Environment: "live",
			SentAt: at, SentHeader: true, OccurredAt: at.Add(-time.Second), OccurrenceID: "occurrence", UnsignedEvent: "unsigned",
		},
		Keys:       replay.Event{Content: Key(n), Unsigned: n},
		ReceivedAt: at.Add(time.Second),
		ClientIP:   "192.0.2.7",
		Request: inbox.Request{
			Method: "POST", URI: fmt.Sprintf("/hooks/%%2F?n=%d", n), Host: "hooks.example.com", Proto: "HTTP/2.0",
			Header:     http.Header{"Content-Type": {"application/json"}, "X-Twice": {"a", "b\xff"}},
			RemoteAddr: "192.0.2.7:4711", LocalNetwork: "tcp", LocalAddr: "[2001:db8::1]:443",
			TLS: &inbox.TLS{Version: 0x304, CipherSuite: 0x1301, ServerName: "hooks.example.com", Protocol: "h2", Certificates: [][]byte{{0, 1, 255}}},
		},
	}
}

// Body returns a body that is different for each number.
func Body(n uint64, size int) []byte {
	b := make([]byte, size)
	state := n*0x9e3779b97f4a7c15 + 1
	for i := range b {
		state = state*6364136223846793005 + 1442695040888963407
		b[i] = byte(state >> 56)
	}
	return b
}

// Keep keeps a delivery and its body of 100 bytes.
func Keep(t testing.TB, in inbox.Inbox, n uint64) inbox.Hold {
	t.Helper()
	return KeepEntry(t, in, Delivery(n), Body(n, 100))
}

// KeepEntry keeps a delivery.
func KeepEntry(t testing.TB, in inbox.Inbox, e inbox.Entry, body []byte) inbox.Hold {
	t.Helper()
	h, err := in.Keep(context.Background(), e, body)
	if err != nil {
		t.Fatalf("keep: %v", err)
	}
	return h
}

// Take takes the entry that is due, which must be the given delivery.
func Take(t testing.TB, in inbox.Inbox, n uint64) inbox.Hold {
	t.Helper()
	h, ok, err := in.Take()
	if err != nil || !ok {
		t.Fatalf("take: %v (%v), want delivery %d", ok, err, n)
	}
	if got := h.Entry().Keys.Content; got != Key(n) {
		t.Fatalf("took %x, want delivery %d", got[:8], n)
	}
	return h
}

// TakesNothing asserts that nothing is due.
func TakesNothing(t testing.TB, in inbox.Inbox) {
	t.Helper()
	if h, ok, err := in.Take(); ok || err != nil {
		t.Fatalf("took %v (%v)", h, err)
	}
}

// Do checks that a call has succeeded.
func Do(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Is checks that an error is of a kind.
func Is(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("%v, want %v", err, kind)
	}
}

func judge(t *testing.T, in inbox.Inbox, e replay.Event, want replay.Status) {
	t.Helper()
	if status, err := in.Judge(e); err != nil || status != want {
		t.Fatalf("judge: %v (%v), want %v", status, err, want)
	}
}

func count(t testing.TB, in inbox.Inbox, waiting, dead int) inbox.Counts {
	t.Helper()
	c := in.Counts()
	if c.Waiting != waiting || c.Dead != dead {
		t.Fatalf("%d waiting, %d dead, want %d and %d", c.Waiting, c.Dead, waiting, dead)
	}
	if (c.Bytes == 0) != (waiting+dead == 0) || c.Bytes < 0 {
		t.Fatalf("%d bytes of %d entries", c.Bytes, waiting+dead)
	}
	return c
}

// List returns all entries.
func List(t testing.TB, in inbox.Inbox) (all []inbox.Entry) {
	t.Helper()
	Do(t, in.List(func(e inbox.Entry) bool {
		all = append(all, e)
		return true
	}))
	return all
}

func readBody(t testing.TB, h inbox.Hold) []byte {
	t.Helper()
	r, err := h.Body()
	Do(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	Do(t, err)
	return b
}

func comesBack(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	want, body := Delivery(1), Body(1, 1000)
	Keep(t, in, 7).Release()
	KeepEntry(t, in, want, body).Release()
	s.Advance(time.Minute)
	Take(t, in, 7)
	h := Take(t, in, 1)
	got := *h.Entry()
	if got.State != inbox.Waiting || got.Size != 1000 || got.Age != time.Minute || got.Wait > 0 || got.Last != (inbox.Outcome{}) {
		t.Errorf("%+v", got)
	}
	got.State, got.Size, got.Age, got.Wait, got.KeptAt, got.Busy = "", 0, 0, 0, time.Time{}, false
	if !reflect.DeepEqual(got, want) {
		t.Errorf("kept %+v\ntook %+v", want, got)
	}
	for range 2 { // it may be opened again
		if !bytes.Equal(readBody(t, h), body) {
			t.Error("the body is not what was kept")
		}
	}
	if in.Counts().Oldest != time.Minute {
		t.Errorf("the oldest is %v old", in.Counts().Oldest)
	}
}

func bodiesOfEverySize(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	sizes := []int{0, 1, 100, 4096, 64<<10 - 1, 64 << 10, 64<<10 + 1, 300_000, 3 << 20}
	for i, size := range sizes {
		body := Body(uint64(i), size)
		h := KeepEntry(t, in, Delivery(uint64(i)), body)
		if h.Entry().Size != int64(size) || !bytes.Equal(readBody(t, h), body) {
			t.Errorf("%d bytes: another body where it was kept", size)
		}
		clear(body) // the handler reuses its buffer for the next body
		h.Release()
	}
	for i, size := range sizes {
		h := Take(t, in, uint64(i))
		if h.Entry().Size != int64(size) || !bytes.Equal(readBody(t, h), Body(uint64(i), size)) {
			t.Errorf("%d bytes: another body", size)
		}
		Do(t, h.Finish(context.Background()))
	}
	count(t, in, 0, 0)
}

func keptIsBusy(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	h := Keep(t, in, 1)
	TakesNothing(t, in)
	if wait, ok := in.Next(); ok {
		t.Errorf("next in %v although it is busy", wait)
	}
	Is(t, in.Drop(context.Background(), Key(1)), inbox.ErrBusy)
	Is(t, in.Retry(context.Background(), Key(1)), inbox.ErrBusy)
	if l := List(t, in); len(l) != 1 || !l[0].Busy {
		t.Errorf("%+v", l)
	}
	h.Release()
	if wait, ok := in.Next(); !ok || wait != 0 {
		t.Errorf("next: %v %v", wait, ok)
	}
	if l := List(t, in); len(l) != 1 || l[0].Busy {
		t.Errorf("%+v", l)
	}
	h = Take(t, in, 1)
	TakesNothing(t, in)
	h.Release()
	Take(t, in, 1)
}

func judged(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	first := replay.Event{Content: Key(1), Occurrence: Key(2), Unsigned: 3}
	judge(t, in, first, replay.Reserved)
	e := Delivery(1)
	e.Keys = first
	h := KeepEntry(t, in, e, nil)
	known := func() {
		t.Helper()
		judge(t, in, first, replay.Duplicate)
		judge(t, in, replay.Event{Content: Key(1), Unsigned: 9}, replay.ContentConflict)
		judge(t, in, replay.Event{Content: Key(8), Occurrence: Key(2)}, replay.OccurrenceConflict)
		judge(t, in, replay.Event{Content: Key(8), Occurrence: Key(9)}, replay.Reserved)
		judge(t, in, replay.Event{Content: Key(8)}, replay.Reserved)
	}
	known() // busy
	h.Release()
	known() // free
	h = Take(t, in, 1)
	Do(t, h.Later(context.Background(), inbox.Outcome{}, time.Hour))
	known()
	s.Advance(time.Hour)
	h = Take(t, in, 1)
	Do(t, h.Die(context.Background(), inbox.Outcome{}))
	unknown := func() {
		t.Helper()
		judge(t, in, first, replay.Reserved)
		judge(t, in, replay.Event{Content: Key(8), Occurrence: Key(2)}, replay.Reserved)
	}
	unknown()
	Do(t, in.Retry(context.Background(), Key(1)))
	known()
	Do(t, Take(t, in, 1).Finish(context.Background()))
	unknown()
}

func keptOnce(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	first := Keep(t, in, 1)
	// While the entry is busy, the second hold does nothing.
	second := KeepEntry(t, in, Delivery(1), Body(2, 200))
	if second.Entry().Keys.Content != Key(1) {
		t.Errorf("%+v", second.Entry())
	}
	Do(t, second.Finish(context.Background()))
	Do(t, second.Die(context.Background(), inbox.Outcome{}))
	second.Release()
	count(t, in, 1, 0)
	TakesNothing(t, in)
	first.Release()
	// While the entry waits and is free, the second hold holds the first entry.
	before := in.Counts().Bytes
	second = KeepEntry(t, in, Delivery(1), Body(2, 200))
	if !bytes.Equal(readBody(t, second), Body(1, 100)) || in.Counts().Bytes != before {
		t.Error("the entry has changed")
	}
	TakesNothing(t, in)
	Do(t, second.Finish(context.Background()))
	count(t, in, 0, 0)

	// A dead entry is replaced.
	Do(t, Keep(t, in, 1).Die(context.Background(), inbox.Outcome{Attempts: 3}))
	count(t, in, 0, 1)
	h := KeepEntry(t, in, Delivery(1), Body(2, 200))
	if !bytes.Equal(readBody(t, h), Body(2, 200)) || h.Entry().Last.Attempts != 0 {
		t.Error("the dead one is still there")
	}
	count(t, in, 1, 0)
}

func manyKeepOne(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	for n := range uint64(10) {
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				h, err := in.Keep(context.Background(), Delivery(n), Body(n, 100))
				if err != nil {
					t.Error(err)
					return
				}
				judge(t, in, Delivery(n).Keys, replay.Duplicate) // each kept one is a duplicate
				h.Release()
			})
		}
		group.Wait()
	}
	count(t, in, 10, 0)
	for range 10 {
		if _, ok, err := in.Take(); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	TakesNothing(t, in)
}

func dueOrder(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	minutes := []int{5, 1, 4, 2, 3}
	for n, wait := range minutes {
		Do(t, Keep(t, in, uint64(n)).Later(context.Background(), inbox.Outcome{}, time.Duration(wait)*time.Minute))
	}
	TakesNothing(t, in)
	for n, want := range []uint64{1, 3, 4, 2, 0} {
		if wait, ok := in.Next(); !ok || wait != time.Minute {
			t.Fatalf("next: %v %v", wait, ok)
		}
		s.Advance(time.Minute)
		h := Take(t, in, want)
		TakesNothing(t, in)
		if n%2 == 0 {
			Do(t, h.Finish(context.Background()))
		}
	}
	// Two entries are busy, and the others have been finished.
	if wait, ok := in.Next(); ok {
		t.Errorf("next: %v", wait)
	}
	for n := range uint64(3) {
		Keep(t, in, 10+n).Release()
		s.Advance(time.Second)
	}
	for n := range uint64(3) {
		Take(t, in, 10+n)
	}
}

func laterIsLater(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	o := inbox.Outcome{Attempts: 1, Status: 503, Error: "no answer within 30s", Hurried: true}
	Do(t, Keep(t, in, 1).Later(context.Background(), o, time.Minute))
	e := List(t, in)[0]
	if e.Last != o || e.Wait != time.Minute || e.State != inbox.Waiting || e.Busy {
		t.Errorf("%+v", e)
	}
	s.Advance(time.Minute - time.Second)
	TakesNothing(t, in)
	if wait, ok := in.Next(); !ok || wait != time.Second {
		t.Errorf("next: %v %v", wait, ok)
	}
	s.Advance(time.Second)
	h := Take(t, in, 1)
	if h.Entry().Last != o || h.Entry().Age != time.Minute {
		t.Errorf("%+v", h.Entry())
	}
	h.Release()
	if h = Take(t, in, 1); h.Entry().Last != o {
		t.Errorf("a release has changed it: %+v", h.Entry())
	}
	if !bytes.Equal(readBody(t, h), Body(1, 100)) {
		t.Error("another body")
	}
}

func hurryMakesDue(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	for n := range uint64(20) {
		o := inbox.Outcome{Hurried: n%2 == 0}
		Do(t, Keep(t, in, n).Later(context.Background(), o, time.Hour+time.Duration(n)*time.Second))
	}
	TakesNothing(t, in)
	in.Hurry()
	s.Advance(time.Second)
	for n := uint64(0); n < 20; n += 2 {
		if wait, ok := in.Next(); !ok || wait != 0 {
			t.Fatalf("next: %v %v", wait, ok)
		}
		h := Take(t, in, n)
		if n == 4 {
			// It fails again, and waits despite Hurry.
			Do(t, h.Later(context.Background(), inbox.Outcome{Hurried: true}, 2*time.Hour))
		}
		if n == 6 { // entries due at once come first
			Keep(t, in, 100).Release()
			Take(t, in, 100)
		}
	}
	TakesNothing(t, in)
	if wait, ok := in.Next(); !ok || wait <= 0 {
		t.Fatalf("next: %v %v", wait, ok)
	}
	in.Hurry()
	Take(t, in, 4)
	TakesNothing(t, in)
}

func deadIsDead(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	o := inbox.Outcome{Attempts: 2, Status: 400}
	Do(t, Keep(t, in, 1).Die(context.Background(), o))
	count(t, in, 0, 1)
	s.Advance(time.Hour)
	TakesNothing(t, in)
	if _, ok := in.Next(); ok {
		t.Error("something is next")
	}
	l := List(t, in)
	if len(l) != 1 || l[0].State != inbox.Dead || l[0].Last != o || l[0].Age != time.Hour || l[0].Wait != 0 {
		t.Errorf("%+v", l)
	}
	if in.Counts().Oldest != 0 {
		t.Error("the dead count among the waiting")
	}
}

func holdEndsOnce(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	h := Keep(t, in, 1)
	h.Release()
	again := Take(t, in, 1)
	h.Release()
	Do(t, h.Finish(context.Background()))
	Do(t, h.Die(context.Background(), inbox.Outcome{}))
	Do(t, h.Later(context.Background(), inbox.Outcome{}, 0))
	TakesNothing(t, in)
	count(t, in, 1, 0)
	Do(t, again.Finish(context.Background()))
	Do(t, again.Die(context.Background(), inbox.Outcome{}))
	count(t, in, 0, 0)
}

func finishedIsGone(t *testing.T, s Subject) {
	in := s.Open(t, Owner)
	for n, size := range []int{10, 100_000} {
		h := KeepEntry(t, in, Delivery(uint64(n)), Body(1, size))
		Do(t, h.Finish(context.Background()))
		judge(t, in, Delivery(uint64(n)).Keys, replay.Reserved)
	}
	TakesNothing(t, in)
	count(t, in, 0, 0)
	if l := List(t, in); len(l) != 0 {
		t.Errorf("%+v", l)
	}
	Is(t, in.Drop(context.Background(), Key(0)), inbox.ErrUnknown)
}

func expires(t *testing.T, s Subject) {
	const keep, dead = time.Hour, 3 * time.Hour
	in := s.Open(t, Owner)
	expire := func(wantDied, wantRemoved []uint64) {
		t.Helper()
		died, removed, err := in.Expire(context.Background(), keep, dead)
		Do(t, err)
		for _, c := range []struct {
			got  []inbox.Entry
			want []uint64
		}{{died, wantDied}, {removed, wantRemoved}} {
			ok := len(c.got) == len(c.want)
			for i := range c.got {
				ok = ok && c.got[i].Keys.Content == Key(c.want[i]) && c.got[i].Facts.ID == Delivery(c.want[i]).Facts.ID
			}
			if !ok {
				t.Fatalf("died %v, removed %v, want %v and %v", died, removed, wantDied, wantRemoved)
			}
		}
	}
	expire(nil, nil)
	Do(t, Keep(t, in, 1).Later(context.Background(), inbox.Outcome{Attempts: 1, Status: 502}, 10*time.Hour))
	s.Advance(time.Minute)
	Keep(t, in, 2).Release()
	busy := Keep(t, in, 3)
	s.Advance(keep - time.Minute)
	expire(nil, nil)
	s.Advance(time.Second)
	expire([]uint64{1}, nil)
	expire(nil, nil)
	count(t, in, 2, 1)
	judge(t, in, Delivery(1).Keys, replay.Reserved)
	if e := List(t, in)[2]; e.State != inbox.Dead || e.Last.Status != 502 {
		t.Errorf("%+v", e)
	}
	s.Advance(time.Minute)
	expire([]uint64{2}, nil) // the busy one does not expire
	busy.Release()
	expire([]uint64{3}, nil)
	count(t, in, 0, 3)
	s.Advance(dead - time.Minute)
	expire(nil, nil)
	s.Advance(time.Second)
	expire(nil, []uint64{1})
	s.Advance(time.Minute)
	expire(nil, []uint64{2, 3})
	count(t, in, 0, 0)
	TakesNothing(t, in)
}

func operated(t *testing.T, s Subject) {
	in, ctx := s.Open(t, Owner), context.Background()
	Is(t, in.Retry(ctx, Key(1)), inbox.ErrUnknown)
	Is(t, in.Drop(ctx, Key(1)), inbox.ErrUnknown)
	o := inbox.Outcome{Attempts: 4, Status: 503}
	Do(t, Keep(t, in, 1).Later(ctx, o, time.Hour))
	TakesNothing(t, in)
	Do(t, in.Retry(ctx, Key(1)))
	h := Take(t, in, 1)
	if h.Entry().Last.Attempts != 4 {
		t.Errorf("%+v", h.Entry())
	}
	Is(t, in.Retry(ctx, Key(1)), inbox.ErrBusy)
	Do(t, h.Die(ctx, o))
	s.Advance(time.Hour)
	Do(t, in.Retry(ctx, Key(1)))
	count(t, in, 1, 0)
	h = Take(t, in, 1)
	if e := h.Entry(); e.Last.Attempts != 4 || e.Age != 0 || e.State != inbox.Waiting {
		t.Errorf("%+v", e)
	}
	if !bytes.Equal(readBody(t, h), Body(1, 100)) {
		t.Error("another body")
	}
	h.Release()
	Do(t, in.Drop(ctx, Key(1)))
	count(t, in, 0, 0)
	Do(t, Keep(t, in, 2).Die(ctx, o))
	Do(t, in.Drop(ctx, Key(2)))
	count(t, in, 0, 0)
	TakesNothing(t, in)
}

func deliveredAfterAll(t *testing.T, s Subject) {
	in, ctx := s.Open(t, Owner), context.Background()
	Do(t, in.Delivered(ctx, Key(1)))
	Do(t, Keep(t, in, 1).Die(ctx, inbox.Outcome{}))
	Do(t, Keep(t, in, 2).Die(ctx, inbox.Outcome{}))
	busy := Keep(t, in, 3)
	Do(t, in.Delivered(ctx, Key(1)))
	Do(t, in.Delivered(ctx, Key(3))) // it waits, so nothing else has delivered it
	Do(t, in.Delivered(ctx, Key(4)))
	count(t, in, 1, 1)
	busy.Release()
	Take(t, in, 3)
}

func full(t *testing.T, s Subject) {
	in, ctx := s.Open(t, Owner), context.Background()
	const size = 100_000
	kept := uint64(0)
	for ; ; kept++ {
		h, err := in.Keep(ctx, Delivery(kept), Body(kept, size))
		if err != nil {
			Is(t, err, inbox.ErrFull)
			break
		}
		h.Release()
		if kept > MaxSize/size {
			t.Fatal("keeps more than max_size")
		}
	}
	if kept < MaxSize/size/2 {
		t.Fatalf("only %d of %d bytes are kept", kept, size)
	}
	judge(t, in, Delivery(kept).Keys, replay.Reserved)
	if _, err := in.Keep(ctx, Delivery(kept), Body(kept, size)); !errors.Is(err, inbox.ErrFull) {
		t.Fatal(err)
	}
	other := s.Open(t, inbox.Owner{Provider: "other", Scheme: "github"})
	if _, err := other.Keep(ctx, Delivery(kept), Body(kept, size)); !errors.Is(err, inbox.ErrFull) {
		t.Fatalf("another owner in the same place: %v", err)
	}
	// Kept deliveries are still answered and delivered, which makes room again.
	// Dead entries count.
	judge(t, in, Delivery(0).Keys, replay.Duplicate)
	Do(t, Take(t, in, 0).Die(ctx, inbox.Outcome{}))
	if _, err := in.Keep(ctx, Delivery(kept), Body(kept, size)); !errors.Is(err, inbox.ErrFull) {
		t.Fatal(err)
	}
	Do(t, in.Drop(ctx, Key(0)))
	KeepEntry(t, in, Delivery(kept), Body(kept, size)).Release()
	for n := uint64(1); n <= kept; n++ {
		h := Take(t, in, n)
		if !bytes.Equal(readBody(t, h), Body(n, size)) {
			t.Fatalf("delivery %d has another body", n)
		}
		Do(t, h.Finish(ctx))
	}
	count(t, in, 0, 0)
	for n := range kept {
		KeepEntry(t, in, Delivery(1000+n), Body(n, size)).Release()
	}
}

func countedAndListed(t *testing.T, s Subject) {
	in, ctx := s.Open(t, Owner), context.Background()
	count(t, in, 0, 0)
	for n := range uint64(6) {
		h := KeepEntry(t, in, Delivery(n), Body(n, 1000*int(n)))
		switch n % 3 {
		case 0:
			h.Release()
		case 1:
			Do(t, h.Later(ctx, inbox.Outcome{}, time.Hour))
		case 2:
			Do(t, h.Die(ctx, inbox.Outcome{}))
		}
		s.Advance(time.Second)
	}
	c := count(t, in, 4, 2)
	if c.Bytes < 15_000 || c.Bytes > 15_000+6*4096 || c.Oldest != 6*time.Second {
		t.Errorf("%+v", c)
	}
	var order []uint64
	for _, e := range List(t, in) {
		n := binary.BigEndian.Uint64(e.Keys.Content[:])
		order = append(order, n)
		want := Delivery(n)
		if e.Facts != want.Facts || e.Owner != want.Owner || e.ClientIP != want.ClientIP || !e.ReceivedAt.Equal(want.ReceivedAt) ||
			e.Request.Method != "POST" || e.Request.URI != want.Request.URI || e.Request.Header != nil || e.Size != 1000*int64(n) {
			t.Errorf("%+v", e)
		}
	}
	if !slices.Equal(order, []uint64{0, 1, 3, 4, 2, 5}) {
		t.Errorf("listed %v", order)
	}
	seen := 0
	Do(t, in.List(func(inbox.Entry) bool { seen++; return seen < 2 }))
	if seen != 2 {
		t.Errorf("listed %d after the end", seen)
	}
	if o := in.Owners(); !slices.Equal(o, []inbox.Owner{Owner}) {
		t.Errorf("owners: %v", o)
	}
}

func longList(t *testing.T, s Subject) {
	const entries = 700
	in := s.Open(t, Owner)
	keepMany(t, in, 0, entries)
	seen := map[replay.Key]bool{}
	Do(t, in.List(func(e inbox.Entry) bool {
		if seen[e.Keys.Content] {
			t.Errorf("%x is listed twice", e.Keys.Content[:8])
		}
		seen[e.Keys.Content] = true
		if len(seen)%100 == 0 { // it may be slow, and call the inbox
			Keep(t, in, uint64(10_000+len(seen))).Release()
		}
		return true
	}))
	if len(seen) < entries {
		t.Errorf("listed %d of %d", len(seen), entries)
	}
}

// keepMany keeps deliveries, many at once to be fast, and releases them.
func keepMany(t testing.TB, in inbox.Inbox, from, to uint64) {
	t.Helper()
	var group sync.WaitGroup
	limit := make(chan struct{}, 64)
	for n := from; n < to; n++ {
		limit <- struct{}{}
		group.Go(func() {
			defer func() { <-limit }()
			h, err := in.Keep(context.Background(), Delivery(n), Body(n, 100))
			if err != nil {
				t.Error(err)
				return
			}
			h.Release()
		})
	}
	group.Wait()
}

func ownersAreApart(t *testing.T, s Subject) {
	one := s.Open(t, Owner)
	other := s.Open(t, inbox.Owner{Provider: Owner.Provider, Scheme: "stripe"})
	Keep(t, one, 1).Release()
	judge(t, other, Delivery(1).Keys, replay.Reserved)
	TakesNothing(t, other)
	count(t, other, 0, 0)
	Is(t, other.Drop(context.Background(), Key(1)), inbox.ErrUnknown)
	if o := other.Owners(); !slices.Equal(o, []inbox.Owner{Owner}) {
		t.Errorf("owners: %v", o)
	}
	Keep(t, other, 1).Release()
	if o := one.Owners(); len(o) != 2 {
		t.Errorf("owners: %v", o)
	}
	Do(t, Take(t, other, 1).Finish(context.Background()))
	count(t, one, 1, 0)
	if got := Take(t, one, 1).Entry().Owner; got != Owner {
		t.Errorf("owner %v", got)
	}
}

func survivesReload(t *testing.T, s Subject) {
	old := s.Open(t, Owner)
	Keep(t, old, 1).Release()
	busy := Keep(t, old, 2)
	reloaded := s.Open(t, Owner)
	judge(t, reloaded, Delivery(1).Keys, replay.Duplicate)
	Do(t, Take(t, reloaded, 1).Later(context.Background(), inbox.Outcome{}, time.Minute))
	TakesNothing(t, reloaded) // the other entry is busy
	TakesNothing(t, old)
	// The last attempt of the old configuration ends after the reload.
	Do(t, busy.Finish(context.Background()))
	Do(t, old.Close())
	Do(t, old.Close())
	count(t, reloaded, 1, 0)
	// A configuration that fails to load closes its share and changes nothing.
	Do(t, s.Open(t, Owner).Close())
	s.Advance(time.Minute)
	Take(t, reloaded, 1)
}

func survivesRestart(t *testing.T, s Subject) {
	in, ctx := s.Open(t, Owner), context.Background()
	body := Body(1, 200_000)
	KeepEntry(t, in, Delivery(1), body)
	o := inbox.Outcome{Attempts: 3, Status: 429, Error: "too many"}
	Do(t, Keep(t, in, 2).Later(ctx, o, time.Hour))
	Do(t, Keep(t, in, 3).Die(ctx, o))
	Do(t, Keep(t, in, 4).Finish(ctx))
	Do(t, in.Close())
	in = s.Open(t, Owner)
	count(t, in, 2, 1)
	judge(t, in, Delivery(1).Keys, replay.Duplicate)
	judge(t, in, Delivery(3).Keys, replay.Reserved)
	h := Take(t, in, 1) // it was busy
	if !bytes.Equal(readBody(t, h), body) {
		t.Error("another body")
	}
	TakesNothing(t, in)
	s.Advance(time.Hour)
	if got := Take(t, in, 2).Entry().Last; got != o {
		t.Errorf("%+v", got)
	}
	if got := in.Counts().Oldest; got != time.Hour {
		t.Errorf("the oldest is %v old", got)
	}
	// An entry kept now is younger than the earlier ones.
	Keep(t, in, 5).Release()
	if l := List(t, in); len(l) != 4 || l[2].Keys.Content != Key(5) {
		t.Errorf("%+v", l)
	}
}

// closedTime checks that waiting entries do not grow older while the inbox is
// closed, and that entries whose time has come are due.
func closedTime(t *testing.T, s Subject) {
	in, ctx := s.Open(t, Owner), context.Background()
	Do(t, Keep(t, in, 1).Later(ctx, inbox.Outcome{}, time.Hour))
	Do(t, Keep(t, in, 2).Die(ctx, inbox.Outcome{}))
	s.Advance(time.Minute)
	Do(t, in.Close())
	s.Advance(1000 * time.Hour)
	s.SetClock(1000 * time.Hour)
	in = s.Open(t, Owner)
	for _, e := range List(t, in) {
		if e.Age != time.Minute {
			t.Errorf("%s is %v old", e.State, e.Age)
		}
	}
	died, removed, err := in.Expire(ctx, time.Hour, time.Hour)
	if len(died)+len(removed) > 0 || err != nil {
		t.Errorf("died %v, removed %v (%v)", died, removed, err)
	}
	Take(t, in, 1)
}

// clockIsSet checks that no entry dies, or becomes due only in a year, because
// the machine's clock was wrong for a while or at an opening.
func clockIsSet(t *testing.T, s Subject) {
	const year = 365 * 24 * time.Hour
	ctx := context.Background()
	in := s.Open(t, Owner)
	n := uint64(0)
	for _, jump := range []time.Duration{year, -year, -year, year} {
		for _, closed := range []bool{false, true} {
			n++
			Do(t, Keep(t, in, n).Later(ctx, inbox.Outcome{}, time.Minute))
			s.Advance(time.Second)
			if closed {
				Do(t, in.Close())
			}
			s.SetClock(jump)
			if closed {
				in = s.Open(t, Owner)
			}
			if died, removed, err := in.Expire(ctx, time.Hour, time.Hour); len(died)+len(removed) > 0 || err != nil {
				t.Fatalf("%v, closed %v: died %v, removed %v (%v)", jump, closed, died, removed, err)
			}
			if wait, ok := in.Next(); !ok || wait > time.Minute {
				t.Fatalf("%v, closed %v: due in %v", jump, closed, wait)
			}
			s.Advance(time.Minute)
			h := Take(t, in, n)
			if h.Entry().Age != time.Minute+time.Second {
				t.Fatalf("%v, closed %v: it is %v old", jump, closed, h.Entry().Age)
			}
			Do(t, h.Finish(ctx))
		}
	}
}

func errorsAreErrors(t *testing.T, s Subject) {
	if s.Broken == nil {
		t.Skip("this store cannot fail")
	}
	in, repair := s.Broken(t, Owner)
	ctx := context.Background()
	if _, err := in.Keep(ctx, Delivery(2), nil); err == nil {
		t.Error("kept")
	}
	judge(t, in, Delivery(1).Keys, replay.Duplicate)
	judge(t, in, Delivery(2).Keys, replay.Reserved)
	count(t, in, 1, 0)
	repair()
	s.Advance(time.Minute)
	Keep(t, in, 2).Release()
	Take(t, in, 1)
	Take(t, in, 2)
	TakesNothing(t, in)
}

// patience limits every wait; only a failing test waits that long.
const patience = 30 * time.Second

// deadlinesAreKept checks that a call ends with its context although the store
// does not respond, and that a delivery that was not kept in time is not in the
// inbox afterwards.
func deadlinesAreKept(t *testing.T, s Subject) {
	if s.Hang == nil {
		t.Skip("this store waits for nothing")
	}
	in, hang, resume := s.Hang(t, Owner)
	finished, later, dying := Keep(t, in, 1), Keep(t, in, 2), Keep(t, in, 3)
	Keep(t, in, 4).Release()
	hang()
	defer resume()
	for name, call := range map[string]func(context.Context) error{
		"keep":       func(ctx context.Context) error { _, err := in.Keep(ctx, Delivery(5), Body(5, 100)); return err },
		"keep large": func(ctx context.Context) error { _, err := in.Keep(ctx, Delivery(6), Body(6, 100_000)); return err },
		"finish":     finished.Finish,
		"later":      func(ctx context.Context) error { return later.Later(ctx, inbox.Outcome{}, time.Hour) },
		"die":        func(ctx context.Context) error { return dying.Die(ctx, inbox.Outcome{}) },
		"drop":       func(ctx context.Context) error { return in.Drop(ctx, Key(4)) },
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		ended := make(chan error, 1)
		go func() { ended <- call(ctx) }()
		select {
		case err := <-ended:
			Is(t, err, context.DeadlineExceeded)
		case <-time.After(patience):
			t.Fatalf("%s goes on after its deadline", name)
		}
		cancel()
	}
	for n := range uint64(2) {
		judge(t, in, Delivery(5+n).Keys, replay.Reserved)
	}
	TakesNothing(t, in) // all entries are still busy
	resume()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		c := in.Counts()
		if c.Waiting == 1 && c.Dead == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", c)
		}
	}
	TakesNothing(t, in)
	// A delivery whose Keep was cut off may be kept again.
	for n := range uint64(2) {
		Keep(t, in, 5+n).Release()
	}
	for n := range uint64(2) {
		Take(t, in, 5+n)
	}
	count(t, in, 3, 1)
}

// manyAtOnce checks that every kept delivery is taken until it is finished, by
// one goroutine at a time, and never again after that.
func manyAtOnce(t *testing.T, s Subject) {
	const deliveries, keepers, takers = 400, 8, 4
	in, ctx := s.Open(t, Owner), context.Background()
	var mu sync.Mutex
	busy, finished := map[replay.Key]bool{}, map[replay.Key]int{}
	var keeping, taking sync.WaitGroup
	for k := range uint64(keepers) {
		keeping.Go(func() {
			for n := k; n < deliveries; n += keepers {
				h, err := in.Keep(ctx, Delivery(n), Body(n, 10*int(n)))
				if err != nil {
					t.Error(err)
					return
				}
				h.Release()
			}
		})
	}
	done := make(chan struct{})
	for range takers {
		taking.Go(func() {
			for {
				h, ok, err := in.Take()
				if err != nil {
					t.Error(err)
					return
				}
				if !ok {
					select {
					case <-done:
						if in.Counts().Waiting == 0 {
							return
						}
					default:
					}
					in.Hurry()
					continue
				}
				key := h.Entry().Keys.Content
				n := binary.BigEndian.Uint64(key[:])
				mu.Lock()
				if busy[key] {
					t.Errorf("delivery %d is taken twice at once", n)
				}
				if finished[key] > 0 {
					t.Errorf("delivery %d is taken after it was finished", n)
				}
				busy[key] = true
				mu.Unlock()
				attempts := h.Entry().Last.Attempts
				taken := attempts >= int(n%3)
				mu.Lock()
				busy[key] = false
				if taken {
					finished[key]++
				}
				mu.Unlock()
				if taken {
					err = h.Finish(ctx)
				} else {
					err = h.Later(ctx, inbox.Outcome{Attempts: attempts + 1, Hurried: true}, time.Hour)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	keeping.Wait()
	close(done)
	taking.Wait()
	count(t, in, 0, 0)
	if len(finished) != deliveries {
		t.Errorf("%d of %d were finished", len(finished), deliveries)
	}
}

// keysAreFree checks that a removed entry leaves nothing that conflicts with
// others.
func keysAreFree(t *testing.T, s Subject) {
	in, ctx := s.Open(t, Owner), context.Background()
	e := Delivery(1)
	e.Keys.Occurrence = Key(100)
	Do(t, KeepEntry(t, in, e, nil).Die(ctx, inbox.Outcome{}))
	other := Delivery(2)
	other.Keys.Occurrence = Key(100)
	judge(t, in, other.Keys, replay.Reserved)
	h := KeepEntry(t, in, other, nil)
	judge(t, in, replay.Event{Content: Key(3), Occurrence: Key(100)}, replay.OccurrenceConflict)
	// The dead entry is removed, and the occurrence belongs to the other one.
	Do(t, in.Drop(ctx, Key(1)))
	judge(t, in, replay.Event{Content: Key(3), Occurrence: Key(100)}, replay.OccurrenceConflict)
	Do(t, h.Finish(ctx))
	judge(t, in, replay.Event{Content: Key(3), Occurrence: Key(100)}, replay.Reserved)
}
