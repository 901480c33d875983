package main

import "syscall"

// raiseDescriptors raises the limit of open files as far as it goes, for this
// process and for the gateways that it starts.
func raiseDescriptors() (uint64, error) {
	const wanted = 65536
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Max < wanted {
		// Only the superuser may, and not everywhere.
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: wanted, Max: wanted})
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return 0, err
		}
	}
	// Set even if it is the same: otherwise Go gives children the limit that
	// this process was started with.
	limit.Cur = limit.Max
	return limit.Cur, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

// affordable is how many connections a limit allows. Each takes a descriptor
// here and one in the gateway, and there are others beside them.
func affordable(connections int, files uint64) int {
	const others = 1000
	return min(connections, max(int(min(files, 1<<30))-others, 1))
}
