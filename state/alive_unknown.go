//go:build !linux

package state

import "time"

// isOver reports whether the process that had that number at a time surely ended: here nobody can
// tell.
func isOver(int, time.Time) bool { return false }
