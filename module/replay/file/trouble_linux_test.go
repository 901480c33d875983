package file

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

// TestFullDisk checks that the process remembers events that were being handled
// when the disk became full, that no new event is let through until a write
// works, and that everything is then in the file.
func TestFullDisk(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	deliver(t, v, event(1))
	e := replay.Event{Content: replaytest.Key(2), Occurrence: replaytest.Key(3), Unsigned: 4}
	inFlight, other := reserve(t, v, e, replay.Reserved), reserve(t, v, event(5), replay.Reserved)
	makeRoom := fillDisk(t, v)

	if err := inFlight.Deliver(context.Background()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("delivered: %v", err)
	}
	refused := func(what string) {
		t.Helper()
		if r, status, err := v.Reserve(context.Background(), event(6)); err == nil || r != nil {
			t.Errorf("%s: %v", what, status)
		}
		if status, err := v.Forget(context.Background(), event(1).Content); err == nil {
			t.Errorf("%s: %v", what, status)
		}
		// Known events are still answered, which stops the sender's retries.
		reserve(t, v, event(1), replay.Duplicate)
		reserve(t, v, e, replay.Duplicate)
		reserve(t, v, replay.Event{Content: e.Content, Unsigned: 9}, replay.ContentConflict)
	}
	refused("full")
	c.advance(boltfile.ProbeEvery)
	refused("full, and tried again")
	makeRoom()
	refused("room, and not tried yet")
	c.advance(boltfile.ProbeEvery)
	deliver(t, v, event(6))
	if n := len(v.history.unsaved); n != 0 {
		t.Errorf("%d entries are unsaved", n)
	}
	if err := other.Deliver(context.Background()); err != nil {
		t.Error(err)
	}
	closed(t, v)
	v = opened(t, path, "label", c)
	for _, e := range []replay.Event{event(1), e, event(5), event(6)} {
		reserve(t, v, e, replay.Duplicate)
	}
}

// TestRoomJustBeforeTheEnd checks that closing makes a last attempt to write.
func TestRoomJustBeforeTheEnd(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	r := reserve(t, v, event(1), replay.Reserved)
	makeRoom := fillDisk(t, v)
	if err := r.Deliver(context.Background()); err == nil {
		t.Error("delivered on a full disk")
	}
	makeRoom()
	closed(t, v)
	reserve(t, opened(t, path, "label", c), event(1), replay.Duplicate)
}

// TestFirstStartOnAFullDisk checks that nothing is left that a later start
// would take for a damaged file.
func TestFirstStartOnAFullDisk(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=8k"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path, c := filepath.Join(folder, "history.db"), newTestClock()
	mustNotOpen(t, path)
	if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT, "size=1m"); err != nil {
		t.Fatal(err)
	}
	deliver(t, opened(t, path, "label", c), event(1))
}
