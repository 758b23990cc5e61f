package state

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// isOver reports whether the process that had that number at a time surely ended. It did if the
// number is that of a younger one: in a container the first process always has the same. It did,
// too, if it only waits for its parent to ask how it ended. The lock itself is not tried, since
// whoever began meanwhile would find it held.
func isOver(pid int, since time.Time) bool {
	const (
		ticks = 100 // a second, on every system of today
		slack = 2 * time.Second
	)
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // its name may have blanks
	const startTime = 19                                            // behind the name
	if len(fields) <= startTime {
		return false
	}
	if state := string(fields[0]); state == "Z" || state == "X" {
		return true
	}
	start, err := strconv.ParseInt(string(fields[startTime]), 10, 64)
	if err != nil {
		return false
	}
	system, err := os.ReadFile("/proc/stat")
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(system, []byte("\nbtime "))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	boot, err := strconv.ParseInt(string(line), 10, 64)
	return err == nil && time.Unix(boot+start/ticks, 0).After(since.Add(slack))
}
