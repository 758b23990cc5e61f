//go:build !unix

package serve

// descriptors returns how many files and connections the process may have open: more than
// it needs.
func descriptors() int { return 1 << 20 }
