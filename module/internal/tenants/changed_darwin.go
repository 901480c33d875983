package tenants

import (
	"os"
	"syscall"
	"time"
)

// changeTime is when a file's content, name or mode last changed, which unlike
// the time of modification no program can set.
func changeTime(info os.FileInfo) time.Time {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctimespec.Unix())
	}
	return time.Time{}
}
