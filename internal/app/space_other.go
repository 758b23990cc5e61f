//go:build !linux

package app

// spaceLimit returns the limit of this process's address space in bytes.
func spaceLimit() uint64 { return noLimit }
