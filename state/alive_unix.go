//go:build unix

package state

import (
	"errors"
	"syscall"
)

// isAlive reports whether there is a process of that number on this machine.
func isAlive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
