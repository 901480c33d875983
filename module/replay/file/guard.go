package file

import (
	"fmt"
	"runtime/debug"
)

// guarded turns a panic into an error. bbolt panics on pages that cannot be
// right, and reading a mapped file that was cut short or whose disk fails is a
// memory fault, which ends the process unless it is made a panic.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &damage{fmt.Sprint(p)}
		}
	}()
	return f()
}

// damage is the error of a file whose content cannot be right.
type damage struct{ detail string }

func (d *damage) Error() string { return "the replay file is damaged: " + d.detail }

func wrong(format string, args ...any) error { return &damage{fmt.Sprintf(format, args...)} }
