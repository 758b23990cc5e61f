package extsort

import "golang.org/x/sys/unix"

// newChunk returns memory for which the system is asked to use large pages: to touch a
// small one for the first time costs more than to fill it with rows.
func newChunk(size int) []byte {
	chunk := make([]byte, size)
	_ = unix.Madvise(chunk, unix.MADV_HUGEPAGE) // without it all works too
	return chunk
}
