package rounds

import "syscall"

// Memory returns a folder for temporary files that lie in memory, "" where there is not plenty
// of it, or where no program may run that a test puts there.
func Memory() string {
	const folder, plenty = "/dev/shm", 4 << 30
	const noExec = 0x8 // ST_NOEXEC, see statfs(2)
	var room syscall.Statfs_t
	if syscall.Statfs(folder, &room) != nil || room.Bavail*uint64(room.Bsize) < plenty || room.Flags&noExec != 0 {
		return ""
	}
	return folder
}
