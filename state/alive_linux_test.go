package state

import (
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestZombie: a process that was killed and whose parent did not ask for it is over.
func TestZombie(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	if !isAlive(pid) || isOver(pid, began) {
		t.Errorf("it runs, and is alive %t, over %t", isAlive(pid), isOver(pid, began))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil { // and it stays there
		t.Fatal(err)
	}
	if !isAlive(pid) || !isOver(pid, began) {
		t.Errorf("it is a zombie, and is alive %t, over %t", isAlive(pid), isOver(pid, began))
	}
	_ = cmd.Wait()
}
