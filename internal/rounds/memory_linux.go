package rounds

import "syscall"

// Memory returns a folder for temporary files that lie in memory, "" where there is not plenty
// of it.
func Memory() string {
	const folder, plenty = "/dev/shm", 4 << 30
	var room syscall.Statfs_t
	if syscall.Statfs(folder, &room) != nil || room.Bavail*uint64(room.Bsize) < plenty {
		return ""
	}
	return folder
}
