package app

import (
	"fmt"
	"os"

	"gleapsync/internal/config"
)

// leastSpace is the address space that a run takes beside sync.memory and the state, in
// bytes. Most of it is set aside by Go's runtime and never used.
const leastSpace = 1280 << 20

// noLimit is the limit of the address space where there is none.
const noLimit = ^uint64(0)

// checkSpace returns an error if a run would not find the address space that it takes: Go
// ends such a process with a trace of itself, and nothing can be done about it then.
func checkSpace(cfg *config.Config, limit uint64) error {
	needed := uint64(leastSpace) + uint64(cfg.Sync.Memory)
	if info, err := os.Stat(cfg.State.Path); err == nil {
		needed += uint64(info.Size()) // it is mapped
	}
	if limit >= needed {
		return nil
	}
	return fmt.Errorf("the limit of the address space (ulimit -v) is %d MiB, and gleapsync needs %d MiB with this sync.memory and this state: raise it, or lift it and bound the memory with a container or with MemoryMax= of systemd", limit>>20, (needed+1<<20-1)>>20)
}
