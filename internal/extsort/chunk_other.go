//go:build !linux

package extsort

func newChunk(size int) []byte { return make([]byte, size) }
