package file

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

// mustNotOpen checks that opening fails with an error that names the file and
// contains the given words.
func mustNotOpen(t *testing.T, path string, words ...string) {
	t.Helper()
	_, err := tryOpen(t, path, "label", newTestClock())
	if err == nil {
		t.Fatal("opens")
	}
	for _, word := range append(words, path) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func TestSecondProcess(t *testing.T) {
	path := newPath(t)
	closed(t, opened(t, path, "label", newTestClock()))
	other, err := bbolt.Open(path, 0o600, nil) // locks as another process does
	if err != nil {
		t.Fatal(err)
	}
	mustNotOpen(t, path, "another process", "replay redis")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, path, "label", newTestClock())
}

func TestUnusablePaths(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign := filepath.Join(folder, "foreign")
	db, err := bbolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("users"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	mustNotOpen(t, folder, "not a file")
	mustNotOpen(t, filepath.Join(folder, "nowhere", "history.db"), "folder")
	mustNotOpen(t, write("text", []byte("a note\n")), "not a replay file", "move it away")
	mustNotOpen(t, write("text of pages", bytes.Repeat([]byte("a note\n"), 20000)), "not a replay file")
	mustNotOpen(t, write("zeros", make([]byte, 1<<16)), "not a replay file")
	mustNotOpen(t, foreign, "another program")
	opened(t, write("empty", nil), "label", newTestClock())
	if os.Getuid() != 0 { // root can write any file
		path := write("read only", nil)
		if err := os.Chmod(path, 0o400); err != nil {
			t.Fatal(err)
		}
		mustNotOpen(t, path, "allowed to write")
	}
}

// sample is a file of several pages of every kind.
func sample(t *testing.T) []byte {
	t.Helper()
	c, path := newTestClock(), newPath(t)
	v, other := opened(t, path, "label", c), opened(t, path, "other", c)
	deliver(t, other, event(1))
	fill(t, v, 0, 300)
	c.advance(replaytest.TTL)
	fill(t, v, 300, 600)
	closed(t, v)
	closed(t, other)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// fill delivers many at once, with an occurrence ID each.
func fill(t testing.TB, v *view, from, to uint64) {
	t.Helper()
	withoutSync(v) // this is no test of the disk
	writes := make([]*boltfile.Write, 0, to-from)
	for n := from; n < to; n++ {
		w := v.history.delivery(spread(n), v.ttl)
		writes = append(writes, w)
		v.history.database.Enqueue(w)
	}
	for _, w := range writes {
		if err := w.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// spread returns an event whose keys are as unordered as hashes.
func spread(n uint64) (e replay.Event) {
	for i := range uint64(2) {
		z := (4*n + i) * 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.BigEndian.PutUint64(e.Content[8*i:], z^z>>31)
		binary.BigEndian.PutUint64(e.Occurrence[8*i:], ^z^z>>31)
	}
	return e
}

// use performs every operation on a file that may be damaged. Each one works or
// returns an error, and the process survives.
func use(t *testing.T, content []byte) (opens bool) {
	t.Helper()
	path := newPath(t)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := tryOpen(t, path, "label", newTestClock())
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%q does not name the file", err)
		}
		return false
	}
	withoutSync(v)
	for n := uint64(300); n < 600; n += 7 {
		_, _, _ = v.Reserve(context.Background(), spread(n))
	}
	for n := uint64(3000); n < 3100; n++ {
		if r, _, _ := v.Reserve(context.Background(), spread(n)); r != nil {
			_ = r.Deliver(context.Background())
		}
	}
	_, _ = v.Forget(context.Background(), spread(500).Content)
	return true
}

// TestDamagedFile flips bits, mostly at the beginning of pages, where their
// structure is, and cuts the file short. With THOROUGH it does so sixteen times
// as often.
func TestDamagedFile(t *testing.T) {
	content := sample(t)
	if !use(t, content) {
		t.Fatal("the sample does not open")
	}
	damaged := func(at int, bit byte) []byte {
		changed := bytes.Clone(content)
		changed[at] ^= 1 << bit
		return changed
	}
	tried, refused, times, apart := 0, 0, 1, 4
	if os.Getenv("THOROUGH") != "" {
		times, apart = 4, 1
	}
	try := func(content []byte) {
		tried++
		if !use(t, content) {
			refused++
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	const pageSize = 4096
	for page := 0; page < len(content); page += pageSize {
		if len(bytes.Trim(content[page:min(page+pageSize, len(content))], "\x00")) == 0 {
			continue
		}
		if page/pageSize%apart > 0 {
			continue
		}
		for range 3 * times {
			try(damaged(page+r.IntN(16+4*16), byte(r.IntN(8))))
		}
		for range times {
			try(damaged(page+r.IntN(min(pageSize, len(content)-page)), byte(r.IntN(8))))
		}
	}
	for range 10 * times {
		try(content[:r.IntN(len(content))])
	}
	t.Logf("%d damaged files: %d refused at the start, the others went on", tried, refused)
	if refused == 0 || refused == tried {
		t.Error("nothing was tried")
	}
}

// TestTruncatedFile cuts the file short at every page, and expects an error at
// the start that says so.
func TestTruncatedFile(t *testing.T) {
	content := sample(t)
	path := newPath(t)
	for size := 2 * os.Getpagesize(); size < len(content); size += os.Getpagesize() {
		if err := os.WriteFile(path, content[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := tryOpen(t, path, "label", newTestClock())
		if err == nil { // bbolt makes a file larger than necessary
			if size < len(content)/2 {
				t.Errorf("%d of %d bytes open", size, len(content))
			}
			return
		}
		if !strings.Contains(err.Error(), "cut short") || !strings.Contains(err.Error(), path) {
			t.Errorf("%d of %d bytes: %v", size, len(content), err)
		}
	}
}

// TestFileWithoutFreeList checks that a file without a list of free pages is
// accepted, as bbolt accepts it.
func TestFileWithoutFreeList(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	fill(t, v, 0, 300)
	closed(t, v)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return stamp(tx, c.now().UnixMilli()) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	v = opened(t, path, "label", c)
	reserve(t, v, spread(299), replay.Duplicate)
	deliver(t, v, event(1))
}

// TestDamageWhileOpen cuts the file short while it is open. Reading the lost
// part of the mapping is a memory fault.
func TestDamageWhileOpen(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	fill(t, v, 0, 5000)
	inFlight := reserve(t, v, event(1), replay.Reserved)
	if err := os.Truncate(path, 2*4096); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for n := range uint64(5000) {
		if _, _, err := v.Reserve(context.Background(), spread(n)); err != nil {
			failed++
		}
	}
	if failed != 5000 {
		t.Errorf("%d of 5000 lookups failed", failed)
	}
	var damaged *boltfile.Damage
	if err := inFlight.Deliver(context.Background()); !errors.As(err, &damaged) {
		t.Errorf("delivered: %v", err)
	}
	c.advance(boltfile.ProbeEvery)
	if _, _, err := v.Reserve(context.Background(), event(2)); !errors.As(err, &damaged) {
		t.Errorf("reserved: %v", err)
	}
	closed(t, v)
	mustNotOpen(t, path, "cut short")
}
