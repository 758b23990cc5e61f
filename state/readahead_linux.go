package state

import (
	"os"

	"golang.org/x/sys/unix"
)

// ReadAhead asks the system to get the file into its memory, and does not wait for that.
// bbolt asks for one page after the other, which takes long where the file is on a disk.
func (f *file) ReadAhead() {
	opened, err := os.Open(f.path)
	if err != nil {
		return // who reads it will say so
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil {
		return
	}
	const step = 512 << 10 // the system cuts what is asked for at once
	for from := int64(0); from < info.Size(); from += step {
		_ = unix.Fadvise(int(opened.Fd()), from, step, unix.FADV_WILLNEED)
	}
}
