package file

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// A file has a bucket about itself, one for the names of bodies in files, and
// one for each owner. An entry of an owner is in these buckets:
//
//	index       content key  →  spot, which is read for every delivery
//	waiting     place        →  head, in the order in which they were kept
//	dead        place        →  head, in the order in which they died
//	due         time, place  →  turn, which decides whether it may be taken
//	requests    number       →  request and body
//	occurrences key          →  content key
//
// After an attempt, only head, index and due are written. Values that contain
// more than numbers end with a checksum.
var (
	aboutBucket = []byte("hooklatch inbox")
	formatKey   = []byte("format")
	openKey     = []byte("open")
	wallKey     = []byte("wall")
	format      = []byte{1}

	bodiesBucket = []byte("bodies")
	ownerPrefix  = []byte("owner/")

	indexBucket      = []byte("index")
	waitingBucket    = []byte("waiting")
	deadBucket       = []byte("dead")
	dueBucket        = []byte("due")
	requestsBucket   = []byte("requests")
	occurrenceBucket = []byte("occurrences")
	countsKey        = []byte("counts")
)

func ownerBucket(o inbox.Owner) []byte {
	return []byte(string(ownerPrefix) + o.Provider + "/" + o.Scheme)
}

func parseOwner(bucket []byte) (o inbox.Owner, ok bool) {
	name, ok := bytes.CutPrefix(bucket, ownerPrefix)
	if !ok {
		return o, false
	}
	o.Provider, o.Scheme, ok = strings.Cut(string(name), "/")
	return o, ok
}

// recognise returns the last times stored in the file. It marks a new file as
// this store's.
func recognise(tx *bbolt.Tx) (openSeen, wallSeen int64, err error) {
	if about := tx.Bucket(aboutBucket); about != nil {
		open, wall := about.Get(openKey), about.Get(wallKey)
		if !bytes.Equal(about.Get(formatKey), format) || len(open) != 8 || len(wall) != 8 {
			return 0, 0, boltfile.ErrForeign
		}
		return int64(binary.BigEndian.Uint64(open)), int64(binary.BigEndian.Uint64(wall)), nil
	}
	if first, _ := tx.Cursor().First(); first != nil {
		return 0, 0, boltfile.ErrForeign
	}
	about, err := tx.CreateBucket(aboutBucket)
	if err != nil {
		return 0, 0, err
	}
	if _, err := tx.CreateBucket(bodiesBucket); err != nil {
		return 0, 0, err
	}
	return 0, 0, about.Put(formatKey, format)
}

// stamp stores the times.
func stamp(tx *bbolt.Tx, open, wall int64) error {
	about := tx.Bucket(aboutBucket)
	if err := about.Put(openKey, number(uint64(open))); err != nil {
		return err
	}
	return about.Put(wallKey, number(uint64(wall)))
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// damaged returns the error for a value that is not what was written. It does
// not mean that the whole file is damaged: other entries are not affected.
func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{inbox.ErrDamaged}, args...)...)
}

// head is the part of an entry that changes, and that lists show.
type head struct {
	Number     uint64        `json:"number"` // of its request
	Facts      inbox.Facts   `json:"facts"`
	Keys       replay.Event  `json:"keys"`
	ReceivedAt time.Time     `json:"received_at"`
	KeptAt     time.Time     `json:"kept_at"`
	ClientIP   string        `json:"client_ip,omitempty"`
	Method     string        `json:"method"`
	URI        string        `json:"uri"`
	Size       int64         `json:"size"`
	File       string        `json:"file,omitempty"` // of the body, if it is in one
	Sum        uint32        `json:"sum"`            // of the body
	Charge     int64         `json:"charge"`         // bytes counted against max_size
	Began      int64         `json:"began"`          // to wait or to be dead, by the open clock
	Due        int64         `json:"due,omitempty"`  // by the wall clock
	Last       inbox.Outcome `json:"last"`
}

// entry returns the inbox entry of a head, without its headers.
func (h *head) entry(owner inbox.Owner, state inbox.State, c *clocks) inbox.Entry {
	e := inbox.Entry{
		Owner: owner, Facts: h.Facts, Keys: h.Keys, ReceivedAt: h.ReceivedAt, ClientIP: h.ClientIP,
		Request: inbox.Request{Method: h.Method, URI: h.URI},
		State:   state, Size: h.Size, KeptAt: h.KeptAt, Last: h.Last,
		Age: time.Duration(c.open.now()-h.Began) * time.Millisecond,
	}
	if state == inbox.Waiting {
		e.Wait = time.Duration(h.Due-c.wall.now()) * time.Millisecond
	}
	return e
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal appends a checksum.
func seal(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unseal checks a checksum and removes it.
func unseal(b []byte) ([]byte, error) {
	content := b[:max(0, len(b)-4)]
	if len(b) < 4 || crc32.Checksum(content, castagnoli) != binary.BigEndian.Uint32(b[len(content):]) {
		return nil, damaged("a value of %d bytes is not what was written", len(b))
	}
	return content, nil
}

func (h *head) encode() ([]byte, error) {
	stored := *h
	stored.Facts = widenFacts(h.Facts)
	stored.URI, stored.Last.Error = widen(h.URI), widen(h.Last.Error)
	b, err := json.Marshal(&stored)
	return seal(b), err
}

func decodeHead(b []byte) (*head, error) {
	content, err := unseal(b)
	if err != nil {
		return nil, err
	}
	h := new(head)
	if err := json.Unmarshal(content, h); err != nil {
		return nil, damaged("a head: %v", err)
	}
	h.Facts = narrowFacts(h.Facts)
	h.URI, h.Last.Error = narrow(h.URI), narrow(h.Last.Error)
	return h, nil
}

// encodeRequest writes the request and then the body, which is empty if it is
// stored in a file.
func encodeRequest(r *inbox.Request, body []byte) ([]byte, error) {
	text, err := json.Marshal(widenRequest(*r))
	if err != nil {
		return nil, fmt.Errorf("encoding a request: %w", err)
	}
	b := make([]byte, 0, 4+len(text)+len(body)+4)
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	b = append(append(b, text...), body...)
	return seal(b), nil
}

// decodeRequest returns the request and the body. The body is valid only as
// long as b is.
func decodeRequest(b []byte) (r inbox.Request, body []byte, err error) {
	b, err = unseal(b)
	if err != nil {
		return r, nil, err
	}
	if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
		return r, nil, damaged("a request of %d bytes", len(b))
	}
	text, body := b[4:4+binary.BigEndian.Uint32(b)], b[4+binary.BigEndian.Uint32(b):]
	if err := json.Unmarshal(text, &r); err != nil {
		return r, nil, damaged("a request: %v", err)
	}
	return narrowRequest(r), body, nil
}

// spot is the location of an entry: a value in the index.
type spot struct {
	place uint64
	dead  bool
	mark  uint64 // the fingerprint of the unsigned values
}

func (s spot) encode() []byte {
	b := append(make([]byte, 0, 17), number(s.place)...)
	b = append(b, 0)
	if s.dead {
		b[8] = 1
	}
	return binary.BigEndian.AppendUint64(b, s.mark)
}

func decodeSpot(b []byte) (s spot, err error) {
	if len(b) != 17 || b[8] > 1 {
		return s, damaged("an index of %d bytes", len(b))
	}
	return spot{place: binary.BigEndian.Uint64(b), dead: b[8] == 1, mark: binary.BigEndian.Uint64(b[9:])}, nil
}

// turn is when an entry is due: a key and a value of the due bucket.
type turn struct {
	due, place uint64
	content    replay.Key
	hurried    bool  // Hurry makes it due
	since      int64 // when it was made to wait
}

func (t turn) key() []byte {
	return binary.BigEndian.AppendUint64(number(t.due), t.place)
}

func (t turn) value() []byte {
	b := append(make([]byte, 0, 25), t.content[:]...)
	b = append(b, 0)
	if t.hurried {
		b[16] = 1
	}
	return binary.BigEndian.AppendUint64(b, uint64(t.since))
}

func decodeTurn(key, value []byte) (t turn, err error) {
	if len(key) != 16 || len(value) != 25 {
		return t, damaged("a due time of %d and %d bytes", len(key), len(value))
	}
	t = turn{due: binary.BigEndian.Uint64(key), place: binary.BigEndian.Uint64(key[8:]), hurried: value[16] == 1}
	copy(t.content[:], value)
	t.since = int64(binary.BigEndian.Uint64(value[17:]))
	return t, nil
}

// checkValue checks a value when the file is opened.
func checkValue(bucket, key, value []byte) (err error) {
	switch {
	case bytes.Equal(bucket, indexBucket):
		_, err = decodeSpot(value)
	case bytes.Equal(bucket, dueBucket):
		_, err = decodeTurn(key, value)
	case bytes.Equal(bucket, waitingBucket), bytes.Equal(bucket, deadBucket):
		_, err = unseal(value)
	}
	if err != nil {
		return boltfile.Wrong("%v", err)
	}
	return nil
}

// counts is the number of entries and bytes of an owner.
type counts struct{ waiting, dead, bytes int64 }

func (c counts) plus(d counts) counts {
	return counts{c.waiting + d.waiting, c.dead + d.dead, c.bytes + d.bytes}
}

func (c counts) encode() []byte {
	b := binary.BigEndian.AppendUint64(number(uint64(c.waiting)), uint64(c.dead))
	return binary.BigEndian.AppendUint64(b, uint64(c.bytes))
}

func decodeCounts(b []byte) (c counts, err error) {
	if len(b) != 24 {
		return c, damaged("counts of %d bytes", len(b))
	}
	at := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[8*i:])) }
	return counts{at(0), at(1), at(2)}, nil
}

// drawerTx is an owner's part of a transaction.
type drawerTx struct {
	bucket                                          *bbolt.Bucket
	index, waiting, dead, due, requests, occurrence *bbolt.Bucket
	bodies                                          *bbolt.Bucket
	// change is the transaction's change to the counts. unused are the bodies that
	// no entry refers to any more once the transaction is committed.
	change counts
	unused []string
}

// in returns an owner's part of a transaction, or nil if the owner has none.
func in(tx *bbolt.Tx, owner []byte) *drawerTx {
	bucket := tx.Bucket(owner)
	if bucket == nil {
		return nil
	}
	return &drawerTx{
		bucket: bucket, bodies: tx.Bucket(bodiesBucket),
		index: bucket.Bucket(indexBucket), waiting: bucket.Bucket(waitingBucket), dead: bucket.Bucket(deadBucket),
		due: bucket.Bucket(dueBucket), requests: bucket.Bucket(requestsBucket), occurrence: bucket.Bucket(occurrenceBucket),
	}
}

// made returns an owner's part of a transaction, and creates it if there is
// none.
func made(tx *bbolt.Tx, owner []byte) (*drawerTx, error) {
	if d := in(tx, owner); d != nil {
		return d, nil
	}
	bucket, err := tx.CreateBucket(owner)
	if err != nil {
		return nil, err
	}
	for _, name := range [][]byte{indexBucket, waitingBucket, deadBucket, dueBucket, requestsBucket, occurrenceBucket} {
		if _, err := bucket.CreateBucket(name); err != nil {
			return nil, err
		}
	}
	return in(tx, owner), bucket.Put(countsKey, counts{}.encode())
}

// find returns the spot and the head of an entry; false if there is none.
func (d *drawerTx) find(content replay.Key) (s spot, h *head, ok bool, err error) {
	value := d.index.Get(content[:])
	if value == nil {
		return s, nil, false, nil
	}
	if s, err = decodeSpot(value); err != nil {
		return s, nil, false, err
	}
	h, err = decodeHead(d.state(s.dead).Get(number(s.place)))
	return s, h, err == nil, err
}

func (d *drawerTx) state(dead bool) *bbolt.Bucket {
	if dead {
		return d.dead
	}
	return d.waiting
}

// wait adds an entry to the waiting ones, as the youngest.
func (d *drawerTx) wait(h *head) error {
	place, err := d.place(d.waiting, h, false)
	if err != nil {
		return err
	}
	d.change.waiting++
	return d.putTurn(h, place, h.Due)
}

// die adds an entry to the dead ones.
func (d *drawerTx) die(h *head) error {
	_, err := d.place(d.dead, h, true)
	d.change.dead++
	return err
}

func (d *drawerTx) place(bucket *bbolt.Bucket, h *head, dead bool) (uint64, error) {
	place, err := bucket.NextSequence()
	if err != nil {
		return 0, err
	}
	value, err := h.encode()
	if err != nil {
		return 0, err
	}
	bucket.FillPercent = 1 // they are added at the end
	if err := bucket.Put(number(place), value); err != nil {
		return 0, err
	}
	return place, d.index.Put(h.Keys.Content[:], spot{place, dead, h.Keys.Unsigned}.encode())
}

// update changes the head of a waiting entry and the time when it is due.
func (d *drawerTx) update(s spot, from int64, h *head, since int64) error {
	value, err := h.encode()
	if err != nil {
		return err
	}
	if err := d.waiting.Put(number(s.place), value); err != nil {
		return err
	}
	if err := d.due.Delete(turn{due: uint64(from), place: s.place}.key()); err != nil {
		return err
	}
	return d.putTurn(h, s.place, since)
}

func (d *drawerTx) putTurn(h *head, place uint64, since int64) error {
	t := turn{due: uint64(h.Due), place: place, content: h.Keys.Content, hurried: h.Last.Hurried, since: since}
	return d.due.Put(t.key(), t.value())
}

// leave removes an entry from its state.
func (d *drawerTx) leave(s spot, h *head) error {
	if err := d.state(s.dead).Delete(number(s.place)); err != nil {
		return err
	}
	if s.dead {
		d.change.dead--
		return nil
	}
	d.change.waiting--
	return d.due.Delete(turn{due: uint64(h.Due), place: s.place}.key())
}

// remove removes an entry and everything that belongs to it.
func (d *drawerTx) remove(s spot, h *head) error {
	if err := d.leave(s, h); err != nil {
		return err
	}
	if err := d.index.Delete(h.Keys.Content[:]); err != nil {
		return err
	}
	if err := d.requests.Delete(number(h.Number)); err != nil {
		return err
	}
	d.change.bytes -= h.Charge
	if h.File != "" {
		d.unused = append(d.unused, h.File)
		if err := d.bodies.Delete([]byte(h.File)); err != nil {
			return err
		}
	}
	if occurrence := h.Keys.Occurrence[:]; bytes.Equal(d.occurrence.Get(occurrence), h.Keys.Content[:]) {
		return d.occurrence.Delete(occurrence)
	}
	return nil
}

// add adds a new entry with its request.
func (d *drawerTx) add(h *head, request []byte) (err error) {
	if h.Number, err = d.requests.NextSequence(); err != nil {
		return err
	}
	d.requests.FillPercent = 1 // they are added at the end
	if err := d.requests.Put(number(h.Number), request); err != nil {
		return err
	}
	if h.File != "" {
		if err := d.bodies.Put([]byte(h.File), h.Keys.Content[:]); err != nil {
			return err
		}
	}
	if h.Keys.Occurrence != (replay.Key{}) {
		if err := d.occurrence.Put(h.Keys.Occurrence[:], h.Keys.Content[:]); err != nil {
			return err
		}
	}
	d.change.bytes += h.Charge
	return d.wait(h)
}

// count writes the changed counts.
func (d *drawerTx) count() error {
	now, err := decodeCounts(d.bucket.Get(countsKey))
	if err != nil {
		return err
	}
	return d.bucket.Put(countsKey, now.plus(d.change).encode())
}
