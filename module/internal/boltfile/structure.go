package boltfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
)

// CheckStructure reads a mapped file through and returns an error for pages
// that would mislead bbolt, and for values that check rejects. check is called
// with every value in a bucket; it may be nil. bbolt trusts its pages: on a
// damaged one it may panic, even in a goroutine of its own, or follow a cycle
// until the memory is full. Its own check does so too. Keys and values have no
// checksum, so damage that leaves them well-formed is not found.
//
// A file consists of pages of one size, in the byte order of the machine. A
// page begins with its number, its kind, the number of its elements and the
// number of pages that it continues on. Pages 0 and 1 are the meta pages. The
// newer valid one refers to the root of the tree and to the list of free pages.
func CheckStructure(file []byte, check Check) error {
	m, err := newestMeta(file)
	if err != nil {
		return err
	}
	c := &structure{file: file, meta: m, check: check, seen: make([]bool, m.pages)}
	c.seen[0], c.seen[1] = true, true
	if err := c.tree(m.root, nil, nil, nil); err != nil {
		return err
	}
	return c.freeList(m.freeList)
}

// Check returns an error if a value is invalid. key is its key, and bucket the
// name of its innermost bucket.
type Check func(bucket, key, value []byte) error

type structure struct {
	file []byte
	meta
	check Check
	seen  []bool // by page number
}

type meta struct {
	pageSize              uint64
	root, freeList, pages uint64 // page numbers; pages is the first unused one
	transaction           uint64
}

const (
	pageHeader  = 16
	elementSize = 16

	kindBranch   = 0x01
	kindLeaf     = 0x02
	kindFreeList = 0x10

	noFreeList = ^uint64(0) // instead of its page number

	bucketElement = 0x01
	bucketHeader  = 16
)

var order = binary.NativeEndian

// newestMeta returns the newest valid meta page. It tries every possible page
// size to find the second one.
func newestMeta(file []byte) (newest meta, err error) {
	found := false
	for at := 0; at < len(file) && at <= 1<<24; at = max(2*at, 1<<10) {
		m, ok := readMeta(file[at:], at)
		if ok && (!found || m.transaction > newest.transaction) {
			newest, found = m, true
		}
	}
	switch {
	case !found:
		return meta{}, Wrong("neither of its two meta pages is valid")
	case newest.pages > uint64(len(file))/newest.pageSize:
		return meta{}, Wrong("it is cut short: %d pages in %d bytes", newest.pages, len(file))
	}
	return newest, nil
}

func readMeta(b []byte, at int) (m meta, ok bool) {
	const magic, version, summed = 0xED0CDAED, 2, 56
	if len(b) < pageHeader+summed+8 {
		return m, false
	}
	b = b[pageHeader:]
	sum := fnv.New64a()
	sum.Write(b[:summed])
	m = meta{
		pageSize: uint64(order.Uint32(b[8:])), root: order.Uint64(b[16:]), freeList: order.Uint64(b[32:]),
		pages: order.Uint64(b[40:]), transaction: order.Uint64(b[48:]),
	}
	return m, order.Uint32(b) == magic && order.Uint32(b[4:]) == version && order.Uint64(b[summed:]) == sum.Sum64() &&
		m.pageSize >= 1<<10 && (at == 0 || at == int(m.pageSize))
}

// page returns a page with its overflow pages. It fails if a page is reached
// twice.
func (c *structure) page(id uint64) ([]byte, error) {
	if id >= c.pages || c.seen[id] {
		return nil, Wrong("page %d is out of place", id)
	}
	page := c.file[id*c.pageSize:]
	more := uint64(order.Uint32(page[12:]))
	if order.Uint64(page) != id || more >= c.pages-id {
		return nil, Wrong("page %d has the header of another", id)
	}
	for n := id; n <= id+more; n++ {
		if c.seen[n] {
			return nil, Wrong("page %d is out of place", n)
		}
		c.seen[n] = true
	}
	return page[:(1+more)*c.pageSize], nil
}

// tree checks a page and the pages below it, which belong to a bucket or to the
// root, which has no name. All keys must be at least low, and less than high if
// high is not nil.
func (c *structure) tree(id uint64, bucket, low, high []byte) error {
	page, err := c.page(id)
	if err != nil {
		return err
	}
	kind := order.Uint16(page[8:])
	if kind != kindBranch && kind != kindLeaf {
		return Wrong("page %d is of the kind %#x", id, kind)
	}
	elements, err := split(page, kind == kindBranch)
	if err != nil {
		return fmt.Errorf("%w, page %d", err, id)
	}
	for i, e := range elements {
		if bytes.Compare(e.key, low) < 0 || high != nil && bytes.Compare(e.key, high) >= 0 || i > 0 && bytes.Compare(e.key, elements[i-1].key) <= 0 {
			return Wrong("the keys of page %d are not in order", id)
		}
		switch {
		case kind == kindBranch:
			next := high
			if i+1 < len(elements) {
				next = elements[i+1].key
			}
			err = c.tree(e.child, bucket, e.key, next)
		case e.bucket:
			err = c.bucket(e)
		default:
			err = c.value(bucket, e)
		}
		if err != nil {
			return err
		}
	}
	if kind == kindBranch && len(elements) == 0 {
		return Wrong("page %d leads nowhere", id)
	}
	return nil
}

// bucket checks a bucket, which is a tree of its own or a small page in the
// value.
func (c *structure) bucket(b element) error {
	if len(b.value) < bucketHeader {
		return Wrong("a bucket of %d bytes", len(b.value))
	}
	if root := order.Uint64(b.value); root != 0 {
		return c.tree(root, b.key, nil, nil)
	}
	inline := b.value[bucketHeader:]
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != kindLeaf {
		return Wrong("a small bucket without a page")
	}
	elements, err := split(inline, false)
	if err != nil {
		return err
	}
	for i, e := range elements {
		if e.bucket || i > 0 && bytes.Compare(e.key, elements[i-1].key) <= 0 {
			return Wrong("the keys of a small bucket are not in order")
		}
		if err := c.value(b.key, e); err != nil {
			return err
		}
	}
	return nil
}

func (c *structure) value(bucket []byte, e element) error {
	if c.check == nil || bucket == nil {
		return nil
	}
	return c.check(bucket, e.key, e.value)
}

type element struct {
	key, value []byte
	bucket     bool
	child      uint64
}

// split returns the elements of a page.
func split(page []byte, branch bool) ([]element, error) {
	count := int(order.Uint16(page[10:]))
	if pageHeader+count*elementSize > len(page) {
		return nil, Wrong("%d elements are too many", count)
	}
	elements := make([]element, count)
	end := uint64(pageHeader + count*elementSize) // keys and values follow without gaps
	for i := range elements {
		begin := pageHeader + i*elementSize
		b := page[begin : begin+elementSize]
		word := func(at int) uint64 { return uint64(order.Uint32(b[at:])) }
		e := &elements[i]
		var at, keySize, valueSize uint64
		if branch {
			at, keySize, e.child = word(0), word(4), order.Uint64(b[8:])
		} else {
			at, keySize, valueSize, e.bucket = word(4), word(8), word(12), word(0) == bucketElement
			if word(0) > bucketElement {
				return nil, Wrong("an element of the kind %#x", word(0))
			}
		}
		at += uint64(begin)
		if at != end || at+keySize+valueSize > uint64(len(page)) || keySize == 0 {
			return nil, Wrong("an element is out of place")
		}
		end = at + keySize + valueSize
		e.key, e.value = page[at:at+keySize], page[at+keySize:at+keySize+valueSize]
	}
	return elements, nil
}

// freeList checks that no page is both free and in use. Such a page would be
// overwritten.
func (c *structure) freeList(id uint64) error {
	if id == noFreeList { // bbolt works it out
		return nil
	}
	page, err := c.page(id)
	if err != nil {
		return err
	}
	count, ids := uint64(order.Uint16(page[10:])), page[pageHeader:]
	if count == 0xFFFF { // then the first number is the count
		count, ids = order.Uint64(ids), ids[8:]
	}
	if order.Uint16(page[8:]) != kindFreeList || count > uint64(len(ids))/8 {
		return Wrong("page %d is no list of free pages", id)
	}
	for i := range count {
		free := order.Uint64(ids[8*i:])
		if free >= c.pages || c.seen[free] {
			return Wrong("page %d is both free and in use", free)
		}
		c.seen[free] = true
	}
	return nil
}
