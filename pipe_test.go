//go:build unix

package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"gleapsync/gleap/sandbox"
)

// TestClosedPipe: nobody who stops reading ends a run that sends, and of the result it is said as a
// shell says it, and no more.
func TestClosedPipe(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: "secret-token"})
	gleap := httptest.NewServer(s)
	defer gleap.Close()
	p := newProject(t, gleap.URL, "", "u1", "u2")
	read, closed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args        []string
		out, log    bool // closed
		code, calls int
	}{
		{[]string{"plan", "--changes"}, true, false, exitPipe, 0},
		{[]string{"sync"}, false, true, 0, 2},
		{[]string{"sync", "--full"}, true, true, exitPipe, 4},
		{[]string{"inspect", "audience", "vip", "--members"}, true, false, -1, 4}, // it has nothing to finish
	} {
		cmd := exec.Command("gleapsync", append(test.args, "--config", "c.toml")...)
		cmd.Dir, cmd.Env = p.dir, p.env
		var log bytes.Buffer
		if cmd.Stderr = &log; test.log {
			cmd.Stderr = closed
		}
		if test.out {
			cmd.Stdout = closed
		}
		_ = cmd.Run()
		if code, calls := cmd.ProcessState.ExitCode(), s.Counts().Identify; code != test.code || calls != test.calls || bytes.Contains(log.Bytes(), []byte("pipe")) {
			t.Errorf("%v: exit code %d after %d calls: %s", test.args, code, calls, log.Bytes())
		}
	}
}

// TestNoRoomForHelp: where the result goes there is no room, which is no wrong command line.
func TestNoRoomForHelp(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("there is no /dev/full: ", err)
	}
	defer full.Close()
	for _, args := range [][]string{{"--help"}, {"help", "sync"}, {"schema", "report"}} {
		cmd := exec.Command("gleapsync", args...)
		var log bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &log
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !bytes.HasSuffix(log.Bytes(), []byte("no space left on device\n")) {
			t.Errorf("%v: exit code %d: %s", args, code, log.Bytes())
		}
	}
}
