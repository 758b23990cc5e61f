//go:build !unix

package state

import "os"

// isAlive reports whether there is a process of that number on this machine.
func isAlive(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = process.Release()
	return true
}
