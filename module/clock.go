package module

import "time"

// systemClock is the only place where the handler reads the time of day. It has
// a file of its own, because the end-to-end tests build with another one in its
// place.
func systemClock() time.Time { return time.Now() }
