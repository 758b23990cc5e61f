//go:build !linux

package sync

func newChunk() []byte { return make([]byte, chunkSize) }
