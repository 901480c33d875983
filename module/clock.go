package module

import "time"

// systemClock is the only place where the handler reads the time of day.
func systemClock() time.Time { return time.Now() }
