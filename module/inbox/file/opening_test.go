package file

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/inbox/inboxtest"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
	replayfile "github.com/hooklatch/hooklatch/module/replay/file"
)

// mustNotOpen checks that opening fails with an error that names the file and
// contains the given words. If kind is not nil, the error must be of that kind.
func mustNotOpen(t *testing.T, path string, kind error, words ...string) {
	t.Helper()
	_, err := tryOpen(t, path, inboxtest.Owner, newTestTime())
	if err == nil {
		t.Fatal("opens")
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("%v, want %v", err, kind)
	}
	for _, word := range append(words, path) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func TestSecondProcess(t *testing.T) {
	path := newPath(t)
	closed(t, opened(t, path, newTestTime()))
	other, err := bbolt.Open(path, 0o600, nil) // locks as another process does
	inboxtest.Do(t, err)
	mustNotOpen(t, path, inbox.ErrInUse, "another process", "have an inbox each")
	inboxtest.Do(t, other.Close())
	opened(t, path, newTestTime())
}

func TestUnusablePaths(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(folder, name)
		inboxtest.Do(t, os.WriteFile(path, content, 0o600))
		return path
	}
	mustNotOpen(t, folder, nil, "not a file")
	if _, err := os.Stat(folder + ".bodies"); err == nil {
		t.Error("a folder is left of an inbox that does not open")
	}
	mustNotOpen(t, filepath.Join(folder, "nowhere", "inbox.db"), nil, "folder must be there")
	mustNotOpen(t, write("text", []byte("a note\n")), inbox.ErrDamaged, "not an inbox file", "move it away")
	mustNotOpen(t, write("text of pages", bytes.Repeat([]byte("a note\n"), 20000)), inbox.ErrDamaged, "not an inbox file")
	mustNotOpen(t, write("zeros", make([]byte, 1<<16)), inbox.ErrDamaged, "not an inbox file")
	opened(t, write("empty", nil), newTestTime())

	// A history is no inbox, open or not, and an inbox is no history.
	path := filepath.Join(folder, "history")
	history := openHistory(t, path)
	mustNotOpen(t, path, nil, "replay history", "another path")
	inboxtest.Do(t, history.Close())
	mustNotOpen(t, path, inbox.ErrDamaged, "belongs to another program")
	path = newPath(t)
	opened(t, path, newTestTime())
	s := &replayfile.Store{Path: path}
	inboxtest.Do(t, s.Provision(caddy.Context{}))
	if _, err := s.Open(replay.OpenOptions{Label: "label", Context: configuration(t)}); err == nil || !strings.Contains(err.Error(), "another path") {
		t.Errorf("%v", err)
	}
}

func openHistory(t *testing.T, path string) replay.History {
	t.Helper()
	s := &replayfile.Store{Path: path}
	inboxtest.Do(t, s.Provision(caddy.Context{}))
	h, err := s.Open(replay.OpenOptions{Label: "label", TTL: 1, Context: configuration(t)})
	inboxtest.Do(t, err)
	return h
}

// TestProvisionOpensNothing checks that provisioning does not open the file,
// because `caddy validate` provisions while the running process has it open.
func TestProvisionOpensNothing(t *testing.T) {
	path := newPath(t)
	t.Setenv("INBOX_FOLDER", filepath.Dir(path))
	for text, want := range map[string]string{
		"{env.INBOX_FOLDER}/inbox.db": path,
		path:                          path,
		"{env.NOT_SET}/inbox.db":      "",
		"":                            "",
	} {
		s := &Store{Path: text}
		err := s.Provision(configuration(t))
		if (err == nil) != (want != "") || err == nil && s.Place() != want {
			t.Errorf("%q: %q (%v)", text, s.Place(), err)
		}
		if err != nil && !strings.Contains(err.Error(), "inbox file") {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); len(entries) != 0 || err != nil {
		t.Errorf("%v (%v)", entries, err)
	}
}

func TestTwoSpellingsOfAPath(t *testing.T) {
	c, path := newTestTime(), newPath(t)
	one := opened(t, path, c)
	link := filepath.Join(t.TempDir(), "link")
	inboxtest.Do(t, os.Symlink(filepath.Dir(path), link))
	other := opened(t, filepath.Join(link, ".", "inbox.db"), c)
	inboxtest.Keep(t, one, 1).Release()
	inboxtest.Take(t, other, 1)
}

func TestPermissions(t *testing.T) {
	path := newPath(t)
	v := opened(t, path, newTestTime())
	inboxtest.KeepEntry(t, v, inboxtest.Delivery(1), inboxtest.Body(1, 100_000))
	modes := map[string]os.FileMode{path: 0o600, path + ".bodies": 0o700 | os.ModeDir}
	bodies, err := filepath.Glob(path + ".bodies/*")
	inboxtest.Do(t, err)
	for _, body := range bodies {
		modes[body] = 0o600
	}
	if len(modes) != 4 { // including the reserve
		t.Errorf("%v", modes)
	}
	for name, want := range modes {
		info, err := os.Stat(name)
		inboxtest.Do(t, err)
		if info.Mode() != want {
			t.Errorf("%s has the mode %v, want %v", name, info.Mode(), want)
		}
	}
}

// TestOrphans checks that opening removes bodies that no entry refers to, and
// no others.
func TestOrphans(t *testing.T) {
	c, path := newTestTime(), newPath(t)
	v := opened(t, path, c)
	body := inboxtest.Body(1, 100_000)
	inboxtest.KeepEntry(t, v, inboxtest.Delivery(1), body).Release()
	closed(t, v)
	for _, name := range []string{"0102-0304", "text"} {
		inboxtest.Do(t, os.WriteFile(filepath.Join(path+".bodies", name), []byte("orphan"), 0o600))
	}
	v = opened(t, path, c)
	if left, _ := filepath.Glob(path + ".bodies/*"); len(left) != 2 { // the body and the reserve
		t.Errorf("%v", left)
	}
	h := inboxtest.Take(t, v, 1)
	r, err := h.Body()
	inboxtest.Do(t, err)
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
		t.Errorf("another body (%v)", err)
	}
	inboxtest.Do(t, r.Close())
	inboxtest.Do(t, h.Finish(context.Background()))
	if left, _ := filepath.Glob(path + ".bodies/*"); len(left) != 1 {
		t.Errorf("%v", left)
	}
}

// TestDamagedBody checks that a changed body is an error and is never returned
// whole.
func TestDamagedBody(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"changed": func(path string) error {
			b, err := os.ReadFile(path)
			b[70_000] ^= 1
			return errors.Join(err, os.WriteFile(path, b, 0o600))
		},
		"cut short": func(path string) error { return os.Truncate(path, 99_999) },
		"longer":    func(path string) error { return os.Truncate(path, 100_001) },
		"gone":      os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			v := opened(t, path, newTestTime())
			h := inboxtest.KeepEntry(t, v, inboxtest.Delivery(1), inboxtest.Body(1, 100_000))
			inboxtest.Do(t, spoil(filepath.Join(path+".bodies", h.(*hold).head.File)))
			r, err := h.Body()
			if err == nil {
				defer r.Close()
				_, err = io.ReadAll(r)
			}
			inboxtest.Is(t, err, inbox.ErrDamaged)
		})
	}
}

// TestDamagedEntry checks that an unreadable entry is reported once, and blocks
// neither other entries nor their writes.
func TestDamagedEntry(t *testing.T) {
	v := opened(t, newPath(t), newTestTime())
	failed := 0
	v.failed = func() { failed++ }
	for n := range uint64(3) {
		inboxtest.Keep(t, v, n).Release()
	}
	spoil := boltfile.NewWrite(func(tx *bbolt.Tx) error {
		requests := in(tx, v.bucket).requests
		value := bytes.Clone(requests.Get(number(1)))
		value[20] ^= 1
		return requests.Put(number(1), value)
	})
	v.box.Enqueue(spoil)
	inboxtest.Do(t, spoil.Wait(context.Background()))
	h := inboxtest.Take(t, v, 1)
	inboxtest.Do(t, h.Finish(context.Background()))
	inboxtest.Take(t, v, 2)
	inboxtest.TakesNothing(t, v)
	if failed != 1 {
		t.Errorf("%d failures were counted", failed)
	}
	if l := inboxtest.List(t, v); len(l) != 2 {
		t.Errorf("%+v", l)
	}
	inboxtest.Do(t, v.Drop(context.Background(), inboxtest.Key(0)))
}

// thorough makes some tests try more cases.
var thorough = os.Getenv("THOROUGH") != ""

// sample returns a file of many pages. With killed it has no list of free
// pages, as after a process was killed.
func sample(t *testing.T, killed bool) []byte {
	t.Helper()
	path := newPath(t)
	v := opened(t, path, newTestTime())
	withoutSync(v, true)
	for n := range uint64(120) {
		h := inboxtest.KeepEntry(t, v, spread(n), inboxtest.Body(n, int(n*31)))
		switch n % 4 {
		case 0:
			inboxtest.Do(t, h.Die(context.Background(), inbox.Outcome{}))
		case 1:
			inboxtest.Do(t, h.Finish(context.Background()))
		default:
			h.Release()
		}
	}
	if !killed {
		closed(t, v)
	}
	content, err := os.ReadFile(path)
	inboxtest.Do(t, err)
	return content
}

// use performs every operation on a file that may be damaged. Each one works or
// returns an error, and the process survives.
func use(t *testing.T, content []byte) (opens bool) {
	t.Helper()
	path := newPath(t)
	inboxtest.Do(t, os.WriteFile(path, content, 0o600))
	v, err := tryOpen(t, path, inboxtest.Owner, newTestTime())
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%q does not name the file", err)
		}
		return false
	}
	withoutSync(v, true)
	ctx := context.Background()
	for range 10 {
		if h, ok, _ := v.Take(); ok {
			if r, err := h.Body(); err == nil {
				_, _ = io.Copy(io.Discard, r)
			}
			_ = h.Finish(ctx)
		}
	}
	for n := uint64(1000); n < 1010; n++ {
		_, _ = v.Keep(ctx, spread(n), nil)
	}
	_ = v.List(func(inbox.Entry) bool { return true })
	if _, _, err := v.Expire(ctx, 0, 0); err != nil {
		t.Log(err)
	}
	_ = v.Close()
	return true
}

// TestDamagedFile flips bits, mostly at the beginning of pages, where their
// structure is, and cuts the file short. With THOROUGH it does so at every page
// and four times as often.
func TestDamagedFile(t *testing.T) {
	if raceDetector {
		t.Skip("bbolt races with itself when it rolls back in a damaged file; make unit runs this without the race detector")
	}
	for _, killed := range []bool{false, true} {
		content := sample(t, killed)
		if !use(t, content) {
			t.Fatal("the sample does not open")
		}
		tried, refused := 0, 0
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
			if !thorough && page/pageSize%4 > 0 {
				continue
			}
			flips := []int{80, 80, 80, pageSize}
			if !thorough {
				flips = flips[page/pageSize/4%4:][:1]
			}
			for _, most := range flips {
				changed := bytes.Clone(content)
				changed[page+r.IntN(most)] ^= 1 << r.IntN(8)
				try(changed)
			}
		}
		cuts := 3
		if thorough {
			cuts = 20
		}
		for range cuts {
			try(content[:r.IntN(len(content))])
		}
		t.Logf("killed %v: %d damaged files, %d refused at the start, the others went on", killed, tried, refused)
		if refused == 0 || refused == tried {
			t.Error("nothing was tried")
		}
	}
}

// TestDamageWhileOpen cuts the file short while it is open. Without a list of
// free pages, bbolt would read it in a goroutine whose faults end the process.
func TestDamageWhileOpen(t *testing.T) {
	path := newPath(t)
	v := opened(t, path, newTestTime())
	for n := range uint64(200) {
		withoutSync(v, true)
		inboxtest.KeepEntry(t, v, spread(n), inboxtest.Body(n, 3000)).Release()
	}
	h, _, err := v.Take()
	inboxtest.Do(t, err)
	inboxtest.Do(t, os.Truncate(path, 2*4096))
	_, err = v.Keep(context.Background(), spread(1000), nil)
	inboxtest.Is(t, err, inbox.ErrDamaged)
	inboxtest.Is(t, h.Finish(context.Background()), inbox.ErrDamaged)
	if _, ok, err := v.Take(); ok || err == nil {
		t.Errorf("took something of a file that is gone")
	}
	if _, err := v.Judge(spread(3).Keys); err == nil {
		t.Error("judged by a file that is gone")
	}
	_ = v.Close()
	mustNotOpen(t, path, inbox.ErrDamaged, "cut short")
}

// TestCompaction checks that opening makes a large, nearly empty file small and
// keeps its entries. Without THOROUGH a file of 4 MiB counts as large.
func TestCompaction(t *testing.T) {
	entries := uint64(1300)
	if !thorough {
		entries = 100
		large := compactAbove
		compactAbove = 4 << 20
		t.Cleanup(func() { compactAbove = large })
	}
	c, path := newTestTime(), newPath(t)
	s := &Store{Path: path, source: c.source(), Options: inbox.Options{MaxSize: 1 << 30}}
	inboxtest.Do(t, s.Provision(configuration(t)))
	openIt := func() *view {
		in, err := s.Open(inbox.OpenOptions{Owner: inboxtest.Owner, Context: configuration(t)})
		inboxtest.Do(t, err)
		return in.(*view)
	}
	v := openIt()
	withoutSync(v, true)
	for n := range entries {
		inboxtest.KeepEntry(t, v, inboxtest.Delivery(n), inboxtest.Body(n, 60_000)).Release()
	}
	inboxtest.KeepEntry(t, v, inboxtest.Delivery(entries), inboxtest.Body(entries, 100_000)).Release()
	for n := range entries - 10 {
		inboxtest.Do(t, inboxtest.Take(t, v, n).Finish(context.Background()))
	}
	closed(t, v)
	before, err := os.Stat(path)
	inboxtest.Do(t, err)
	inboxtest.Do(t, os.WriteFile(path+".compact", []byte("cut off"), 0o600))
	v = openIt()
	after, err := os.Stat(path)
	inboxtest.Do(t, err)
	if before.Size() < compactAbove || after.Size() > before.Size()/4 || after.Mode() != 0o600 {
		t.Errorf("%d bytes before, %d after, mode %v", before.Size(), after.Size(), after.Mode())
	}
	for n := entries - 10; n <= entries; n++ {
		h := inboxtest.Take(t, v, n)
		r, err := h.Body()
		inboxtest.Do(t, err)
		body, err := io.ReadAll(r)
		inboxtest.Do(t, errors.Join(err, r.Close()))
		if size := len(body); !bytes.Equal(body, inboxtest.Body(n, size)) || size == 0 {
			t.Errorf("delivery %d has another body", n)
		}
	}
	// The lock is that of the new file.
	if _, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 1}); err == nil {
		t.Error("another process can open it")
	}
	// Numbers continue where they were.
	inboxtest.Keep(t, v, entries+1).Release()
	inboxtest.Take(t, v, entries+1)
	if left, _ := filepath.Glob(path + "*"); len(left) != 2 {
		t.Errorf("%v", left)
	}
	closed(t, v)
}
