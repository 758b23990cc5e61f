package app

import "golang.org/x/sys/unix"

// spaceLimit returns the limit of this process's address space in bytes.
func spaceLimit() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) != nil {
		return noLimit
	}
	return limit.Cur
}
