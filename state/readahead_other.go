//go:build !linux

package state

// ReadAhead does nothing on this system.
func (f *file) ReadAhead() {}
