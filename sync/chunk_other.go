//go:build !linux

package sync

func newChunk(size int) []byte { return make([]byte, size) }
