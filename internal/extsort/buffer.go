package extsort

// Buffer is the size of the buffers with which what was sorted is read by so many readers, so
// that all of them together stay within so much memory, if that is enough.
func Buffer(memory int64, sorters []*Sorter, readers int) int {
	runs := 1
	for _, s := range sorters {
		runs += s.Spilled()
	}
	return int(min(64<<10, max(32<<10, memory/int64(runs*readers))))
}
