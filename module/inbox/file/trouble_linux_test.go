package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/inbox/inboxtest"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// TestFullDisk checks that nothing is kept or attempted while nothing can be
// written. A delivered entry is not attempted again, and is removed as soon as
// that works.
func TestFullDisk(t *testing.T) {
	c, path, ctx := newTestTime(), newPath(t), context.Background()
	v := opened(t, path, c)
	for n := range uint64(5) {
		inboxtest.Keep(t, v, n).Release()
	}
	finished, later, dead := inboxtest.Take(t, v, 0), inboxtest.Take(t, v, 1), inboxtest.Take(t, v, 2)
	makeRoom := fillDisk(t, v)

	_, err := v.Keep(ctx, inboxtest.Delivery(10), nil)
	inboxtest.Is(t, err, inbox.ErrFull)
	for _, err := range []error{
		finished.Finish(ctx), later.Later(ctx, inbox.Outcome{}, time.Hour), dead.Die(ctx, inbox.Outcome{}), v.Drop(ctx, inboxtest.Key(3)),
	} {
		inboxtest.Is(t, err, syscall.ENOSPC)
	}
	if _, ok, err := v.Take(); ok || err == nil {
		t.Error("something is attempted that could not be ended")
	}
	judged := func(n uint64, want replay.Status) {
		t.Helper()
		if status, err := v.Judge(inboxtest.Delivery(n).Keys); status != want || err != nil {
			t.Errorf("delivery %d: %v (%v), want %v", n, status, err, want)
		}
	}
	judged(0, replay.Reserved) // it is delivered, and the history knows it
	judged(1, replay.Duplicate)
	judged(10, replay.Reserved)
	c.advance(boltfile.ProbeEvery)
	_, err = v.Keep(ctx, inboxtest.Delivery(10), nil)
	inboxtest.Is(t, err, inbox.ErrFull)
	makeRoom()
	c.advance(boltfile.ProbeEvery)
	for n := uint64(1); n < 5; n++ { // all but the delivered one
		inboxtest.Take(t, v, n)
	}
	inboxtest.TakesNothing(t, v)
	inboxtest.Keep(t, v, 10).Release()
	closed(t, v)
	v = opened(t, path, c)
	if got := v.Counts(); got.Waiting != 5 || got.Dead != 0 {
		t.Errorf("%+v", got)
	}
	judged(0, replay.Reserved)
}

// TestFullUntilTheEnd checks that a delivered entry that could not be removed
// before the process ended is delivered again, and that the log says so.
func TestFullUntilTheEnd(t *testing.T) {
	c, path := newTestTime(), newPath(t)
	v := opened(t, path, c)
	h := inboxtest.Keep(t, v, 1)
	fillDisk(t, v)
	if err := h.Finish(context.Background()); err == nil {
		t.Error("finished on a full disk")
	}
	left, err := os.ReadFile(path) // the file is replaced, so its lock cannot be released
	inboxtest.Do(t, err)
	closed(t, v)
	again := newPath(t)
	inboxtest.Do(t, os.WriteFile(again, left, 0o600))
	inboxtest.Take(t, opened(t, again, c), 1)
}

// TestSmallDisk checks that on a full disk, kept deliveries can still be
// delivered and removed, postponed and made dead. Then there is room again.
func TestSmallDisk(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=6m"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() { inboxtest.Do(t, syscall.Unmount(folder, syscall.MNT_DETACH)) })
	c, path, ctx := newTestTime(), filepath.Join(folder, "inbox.db"), context.Background()
	v := opened(t, path, c)
	fill := func(from uint64) (n uint64) {
		t.Helper()
		for n = from; ; n++ {
			h, err := v.Keep(ctx, spread(n), inboxtest.Body(n, []int{2000, 70_000}[n%2]))
			if err != nil {
				inboxtest.Is(t, err, inbox.ErrFull)
				if !boltfile.IsFull(err) {
					t.Fatalf("max_size is reached before the disk is full: %v", err)
				}
				return n
			}
			h.Release()
		}
	}
	kept := fill(0)
	// Another file takes the rest of the disk.
	ballast, err := os.Create(filepath.Join(folder, "ballast"))
	inboxtest.Do(t, err)
	for size := 1 << 16; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = ballast.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	t.Logf("%d deliveries on a full disk", kept)
	for range kept {
		h, ok, err := v.Take()
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		inboxtest.Do(t, h.Later(ctx, inbox.Outcome{Attempts: 1, Status: 503}, time.Minute))
	}
	c.advance(time.Minute)
	for n := range kept {
		h, ok, err := v.Take()
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if n%10 == 0 {
			inboxtest.Do(t, h.Die(ctx, inbox.Outcome{Attempts: 2, Status: 400}))
		} else {
			inboxtest.Do(t, h.Finish(ctx))
		}
	}
	inboxtest.Do(t, ballast.Close())
	inboxtest.Do(t, os.Remove(ballast.Name()))
	c.advance(boltfile.ProbeEvery)
	if again := fill(10_000); again == 10_000 {
		t.Error("there is no room again")
	}
}

// TestNoRoomToStart checks that nothing is left that a later start would take
// for a damaged file.
func TestNoRoomToStart(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=8k"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() { inboxtest.Do(t, syscall.Unmount(folder, syscall.MNT_DETACH)) })
	path := filepath.Join(folder, "inbox.db")
	mustNotOpen(t, path, inbox.ErrFull, "room")
	inboxtest.Do(t, syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT, "size=4m"))
	inboxtest.Keep(t, opened(t, path, newTestTime()), 1)
}
