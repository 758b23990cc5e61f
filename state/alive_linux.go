package state

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// isYounger reports whether the process of that number surely began after a time, so that it is
// not the one that had the number then. In a container the first process always has the same.
func isYounger(pid int, since time.Time) bool {
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
