package source

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestCommandEndsWithUs: a command does not outlive the process that reads it, however that
// ends.
func TestCommandEndsWithUs(t *testing.T) {
	const folder = "TEST_COMMAND_FOLDER"
	if dir := os.Getenv(folder); dir != "" { // this is the process that is killed
		e := script(t, `echo user_id; exec 9>alive; echo ready >&9; exec sleep 1000`)
		e.Dir = dir
		_, err := rows(e)
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "alive")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	us := exec.Command(os.Args[0], "-test.run=^TestCommandEndsWithUs$")
	us.Env = append(os.Environ(), folder+"="+dir)
	if err := us.Start(); err != nil {
		t.Fatal(err)
	}
	alive, err := os.Open(path) // once the command writes to it
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if _, err := io.ReadFull(alive, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	if err := us.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = us.Wait()
	ended := make(chan struct{})
	go func() {
		_, _ = io.ReadAll(alive) // its end is that of the command, which holds the other side
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the command goes on")
	}
}
