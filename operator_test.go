//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	stdsync "sync"
	"syscall"
	"testing"
	"time"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
)

// TestFullDisk gives the program a disk that is full after n KiB of any file, for
// n = 0, 8, 16, 32 … until a run succeeds. Each time it says so and nothing breaks.
func TestFullDisk(t *testing.T) {
	t.Parallel() // it waits
	s := sandbox.New(sandbox.Options{Token: "secret-token"})
	gleap := httptest.NewServer(s)
	defer gleap.Close()
	contacts := rounds.Of(5_000, 20_000)
	p := newProject(t, gleap.URL, "", userIDs(contacts)...)
	for kib := 0; ; kib = max(8, 2*kib) {
		cmd := exec.Command("sh", "-c", fmt.Sprintf("ulimit -f %d && exec gleapsync sync --config c.toml", 2*kib)) // in blocks of 512 bytes
		cmd.Dir, cmd.Env = p.dir, p.env
		code, written := finish(t, cmd)
		if code == 0 {
			t.Logf("it takes %d KiB", kib)
			break
		}
		if code != 1 || !strings.Contains(written, "file too large") || strings.Contains(written, "goroutine") {
			t.Errorf("%d KiB: exit code %d: %s", kib, code, written)
		}
		if _, err := os.Stat(p.path("gleapsync.db")); err == nil {
			if code, written := p.run(t, "verify"); code != 0 {
				t.Errorf("%d KiB: %s", kib, written)
			}
		}
		if kib > 1<<20 {
			t.Fatal("it never succeeds")
		}
	}
	if counts := s.Counts(); counts.Contacts != contacts {
		t.Errorf("Gleap has %d contacts", counts.Contacts)
	}
	if left, _ := filepath.Glob(p.path("*.tmp")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	if code, written := p.run(t, "sync"); code != 0 || !strings.Contains(written, "Nothing to send") {
		t.Errorf("exit code %d: %s", code, written)
	}
}

// TestNoPermission runs the program as a user who may not write: nothing is sent that
// could not be remembered.
func TestNoPermission(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: "secret-token"})
	gleap := httptest.NewServer(s)
	defer gleap.Close()
	program := filepath.Join(public(t), "gleapsync")
	if err := copyFile("/proc/self/exe", program, 0o755); err != nil {
		t.Skipf("the program cannot be copied: %v", err)
	}
	for name, test := range map[string]struct {
		forbid func(p *project) error
		args   []string
		code   int
		want   string
	}{
		"folder, first sync": {func(p *project) error {
			return errors.Join(os.Remove(p.path("gleapsync.db")), os.Remove(p.path("gleapsync.db.lock")), os.Chmod(p.dir, 0o555))
		}, []string{"sync"}, 1, "gleapsync.db.lock: permission denied"},
		"folder, plan": {func(p *project) error { return os.Chmod(p.dir, 0o555) }, []string{"plan"}, 0, "1 contact to send"},
		"state": {func(p *project) error {
			return errors.Join(os.Chmod(p.path("gleapsync.db"), 0o444), os.Chmod(p.dir, 0o777))
		}, []string{"sync"}, 1, "gleapsync.db: permission denied"},
		"state, look": {func(p *project) error { return os.Chmod(p.path("gleapsync.db"), 0o444) }, []string{"inspect"}, 0, "1 contact, 1 attribute"},
		"unreadable":  {func(p *project) error { return os.Chmod(p.path("gleapsync.db"), 0) }, []string{"sync"}, 1, "gleapsync.db: permission denied"},
		"export": {func(p *project) error { return os.Chmod(p.path("vip.csv"), 0) }, []string{"plan"}, 1,
			"Held: vip: vip.csv may not be read: permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProject(t, gleap.URL, "", "u1")
			p.dir = public(t)
			old := newProject(t, gleap.URL, "", "u1")
			for _, file := range []string{"c.toml", "vip.csv"} {
				if err := copyFile(old.path(file), p.path(file), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if code, written := p.run(t, "sync"); code != 0 {
				t.Fatal(written)
			}
			sent := s.Counts().Identify
			p.write(t, "vip.csv", "user_id\nu1\nu2\n")
			if err := errors.Join(os.Chmod(p.path("gleapsync.db"), 0o666), os.Chmod(p.path("gleapsync.db.lock"), 0o666), test.forbid(p)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			defer os.Chmod(p.dir, 0o755)
			cmd := p.command(test.args...)
			cmd.Path = program
			if os.Getuid() == 0 {
				const nobody = 65534
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			}
			code, written := finish(t, cmd)
			if code != test.code || !strings.Contains(written, test.want) || strings.Contains(written, "goroutine") {
				t.Errorf("exit code %d: %s", code, written)
			}
			if s.Counts().Identify != sent {
				t.Error("calls were made")
			}
		})
	}
}

// public returns a folder into which every user may look.
func public(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFile(from, to string, mode os.FileMode) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, mode)
}

// during starts a sync that takes minutes, and calls fn in the middle of it; fn ends it.
// It returns what the sync wrote to standard error.
func during(t *testing.T, fn func(p *project, cmd *exec.Cmd)) string {
	t.Helper()
	gleap := newGleap(0, 20*time.Millisecond)
	defer gleap.Close()
	ids := userIDs(20_000)
	for i := range ids {
		ids[i] += ",marked-" + ids[i] + "@example.com"
	}
	p := newProject(t, gleap.URL, "concurrency = 2\n[contact]\nemail = \"email\"\n")
	p.write(t, "vip.csv", "user_id,email\n"+strings.Join(ids, "\n")+"\n")
	var errs bytes.Buffer
	cmd := p.command("sync", "--log-level", "debug")
	cmd.Stderr = &errs
	startSending(t, cmd, gleap.URL)
	fn(p, cmd)
	_ = cmd.Wait()
	return errs.String()
}

// TestSignals: a signal ends a sync after the calls on their way, with what Gleap
// acknowledged in the state; the next run sends the rest and nothing twice.
func TestSignals(t *testing.T) {
	t.Parallel()
	for s, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			gleap := newGleap(0, 20*time.Millisecond)
			defer gleap.Close()
			const contacts = 300
			p := newProject(t, gleap.URL, "concurrency = 2", userIDs(contacts)...)
			var out bytes.Buffer
			cmd := p.command("sync", "--output", "json")
			cmd.Stdout, cmd.Stderr = &out, os.Stderr
			startSending(t, cmd, gleap.URL)
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			var report runs.Report
			if err := json.Unmarshal(out.Bytes(), &report); err != nil {
				t.Fatalf("%v: %s", err, out.Bytes())
			}
			counts, _ := countsOf(gleap.URL)
			if got := cmd.ProcessState.ExitCode(); got != code || report.Outcome != runs.Interrupted || report.Contacts.Sent != counts.Identify || report.Contacts.Remaining != contacts-counts.Identify {
				t.Errorf("exit code %d, Gleap applied %d calls, the report says %s %+v", got, counts.Identify, report.Outcome, report.Contacts)
			}
			if code, written := p.run(t, "sync"); code != 0 {
				t.Fatal(written)
			}
			if counts, _ = countsOf(gleap.URL); counts.Identify != contacts {
				t.Errorf("after both runs Gleap applied %d calls for %d contacts", counts.Identify, contacts)
			}
		})
	}
}

// startSending starts a sync and returns in the middle of it.
func startSending(t *testing.T, cmd *exec.Cmd, url string) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		counts, err := countsOf(url)
		if err != nil {
			t.Fatal(err)
		}
		if counts.Identify >= 10 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestLookDuringSync: everything can be asked while a sync runs, and no second one can.
func TestLookDuringSync(t *testing.T) {
	t.Parallel() // it waits
	during(t, func(p *project, cmd *exec.Cmd) {
		for _, test := range []struct {
			args []string
			code int
			want string
		}{
			{[]string{"sync"}, 75, fmt.Sprintf("process %d on ", cmd.Process.Pid)},
			{[]string{"plan"}, 0, "first deliveries"},
			{[]string{"inspect"}, 0, "Project   p"},
			{[]string{"inspect"}, 0, fmt.Sprintf(", process %d on ", cmd.Process.Pid)},
			{[]string{"inspect", "audiences"}, 0, "vip"},
			{[]string{"inspect", "contact", "user-000000"}, 0, "Contact user-000000"},
			{[]string{"inspect", "runs"}, 0, "no run yet"},
			{[]string{"backup", p.path("copy.db")}, 0, "copy.db"},
		} {
			if code, written := p.run(t, test.args...); code != test.code || !strings.Contains(written, test.want) {
				t.Errorf("%v: exit code %d: %s", test.args, code, written)
			}
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		code, written := p.run(t, "inspect", "runs", "--output", "json")
		var all []runs.Report
		if err := json.Unmarshal([]byte(written), &all); err != nil || code != 0 {
			t.Fatalf("%v: %s", err, written)
		}
		if len(all) != 1 || all[0].Outcome != runs.Interrupted || all[0].Contacts.Sent == 0 {
			t.Errorf("%+v", all)
		}
	})
}

// TestCrashOutput: what the runtime writes of a program that crashes has nothing of a
// person, and no token.
func TestCrashOutput(t *testing.T) {
	written := during(t, func(_ *project, cmd *exec.Cmd) {
		if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
	})
	if !strings.Contains(written, "goroutine") {
		t.Errorf("there is no crash output: %s", written)
	}
	for _, secret := range []string{"marked", "user-0", "secret-token"} {
		if strings.Contains(written, secret) {
			t.Errorf("%q was written", secret)
		}
	}
}

// TestProxy: a proxy is asked for a tunnel to the configured host and sees no token;
// calls to this machine do not go through it.
func TestProxy(t *testing.T) {
	t.Parallel() // it waits
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var mu stdsync.Mutex
	var seen bytes.Buffer
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				request := make([]byte, 64<<10)
				n, _ := conn.Read(request)
				mu.Lock()
				seen.Write(request[:n])
				mu.Unlock()
				_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
			}()
		}
	}()
	all := func() string {
		mu.Lock()
		defer mu.Unlock()
		return seen.String()
	}
	proxy := "http://" + listener.Addr().String()
	s := sandbox.New(sandbox.Options{Token: "secret-token"})
	gleap := httptest.NewServer(s)
	defer gleap.Close()
	for _, url := range []string{gleap.URL, "https://gleap.example.com"} {
		p := newProject(t, url, "give_up = \"1s\"", "u1")
		p.env = append(p.env, "HTTP_PROXY="+proxy, "HTTPS_PROXY="+proxy, "NO_PROXY=")
		code, written := p.run(t, "sync", "--log-level", "debug")
		switch {
		case url == gleap.URL && (code != 0 || all() != "" || s.Counts().Identify != 1):
			t.Errorf("exit code %d, the proxy saw %q: %s", code, all(), written)
		case url != gleap.URL && (code != 5 || !strings.HasPrefix(all(), "CONNECT gleap.example.com:443 ")):
			t.Errorf("exit code %d, the proxy saw %q: %s", code, all(), written)
		}
		if strings.Contains(all()+written, "secret-token") {
			t.Errorf("the token is in %q or %q", all(), written)
		}
	}
}

// TestLeftovers: a run that was killed may have left these behind.
func TestLeftovers(t *testing.T) {
	s := sandbox.New(sandbox.Options{Token: "secret-token"})
	gleap := httptest.NewServer(s)
	defer gleap.Close()
	p := newProject(t, gleap.URL, "", "u1", "u2")
	p.write(t, "gleapsync-123456.tmp", "user ids")
	p.write(t, "gleapsync.db.new", "half a state")
	p.write(t, "gleapsync.db.rows-0123456789abcdef0123456789abcdef", "a list of rows that no state refers to")
	p.write(t, "gleapsync.db.lock", `{"pid":1,"host":"gone","since":"2026-01-01T00:00:00Z"}`)
	if code, written := p.run(t, "sync"); code != 0 || s.Counts().Identify != 2 {
		t.Errorf("exit code %d: %s", code, written)
	}
	files, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		name, _, isList := strings.Cut(file.Name(), ".rows-")
		if isList {
			name += ".rows"
		}
		names = append(names, name)
		if info, err := file.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file.Name(), info.Mode(), err)
		}
	}
	if got := strings.Join(names, " "); got != "c.toml gleapsync.db gleapsync.db.lock gleapsync.db.rows vip.csv" {
		t.Errorf("there are %s", got)
	}
}

// TestSignalTwice: timeout sends the signal to the process and to its group, so a run gets it
// twice at once. It ends in good order all the same.
func TestSignalTwice(t *testing.T) {
	t.Parallel() // it waits
	during(t, func(p *project, cmd *exec.Cmd) {
		for range 2 {
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 143 {
			t.Errorf("exit code %d, want 143", code)
		}
		if code, written := p.run(t, "inspect", "runs", "last"); code != 0 || strings.Contains(written, "lost") || !strings.Contains(written, "interrupted") && !strings.Contains(written, "left") {
			t.Errorf("exit code %d: %s", code, written)
		}
	})
}
