package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what a process, with all that it started, took.
type usage struct {
	wall      time.Duration
	cpu       time.Duration
	anonymous int64 // the most anonymous memory at a time, in bytes
	read      int64 // bytes, with those that the system had in memory
	temporary int64 // bytes in gleapsync's temporary files, when seen last
	end       time.Time
}

// measure runs a command to its end. What it writes to standard output goes to the file
// out; what it writes to standard error is part of the error.
func measure(out string, cmd *exec.Cmd) (usage, error) {
	file, err := os.Create(out)
	if err != nil {
		return usage{}, err
	}
	defer file.Close()
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = file, &errs
	var u usage
	unix.Sync() // nobody pays for what another one wrote
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return u, err
	}
	pid := cmd.Process.Pid
	quit, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		u.sample(pid, quit)
	}()
	// The process is waited for, but kept until its counters were read.
	for {
		err = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	end := time.Now()
	close(quit)
	<-sampled
	u.wall, u.end = end.Sub(start), end
	u.read = field(fmt.Sprintf("/proc/%d/io", pid), "rchar:")
	if err := cmd.Wait(); err != nil {
		return u, fmt.Errorf("%s: %w: %s", cmd, err, errs.Bytes())
	}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return u, nil
}

// sample looks at the memory of a process and its children until quit is closed.
func (u *usage) sample(pid int, quit <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		u.anonymous = max(u.anonymous, anonymous(pid))
		if n%10 == 0 {
			if size := temporaryFiles(pid); size > 0 {
				u.temporary = size
			}
		}
		select {
		case <-quit:
			return
		case <-tick.C:
		}
	}
}

func anonymous(pid int) int64 {
	sum := field(fmt.Sprintf("/proc/%d/status", pid), "RssAnon:") << 10
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		if child, err := strconv.Atoi(child); err == nil {
			sum += anonymous(child)
		}
	}
	return sum
}

// field returns the number behind a name in a file of /proc, or 0.
func field(path, name string) int64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

// temporaryFiles returns the size of the temporary files that gleapsync holds open.
func temporaryFiles(pid int) int64 {
	var sum int64
	all, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range all {
		target, _ := os.Readlink(fd)
		if !strings.HasPrefix(filepath.Base(target), "gleapsync-") {
			continue
		}
		if info, err := os.Stat(fd); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// median returns the one in the middle, by value.
func median[T, V any](all []T, value func(T) V, compare func(a, b V) int) V {
	var values []V
	for _, one := range all {
		values = append(values, value(one))
	}
	slices.SortFunc(values, compare)
	return values[len(values)/2]
}
