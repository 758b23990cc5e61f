//go:build unix && !linux

package source

import "syscall"

// endWithUs does nothing: these systems do not end a process with the one that started it.
func endWithUs(*syscall.SysProcAttr) {}
