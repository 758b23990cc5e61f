//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gleapsync/internal/ttytest"
)

// TestTerminal: on a terminal of any width a sync never shows more than one bar, below log
// lines that are whole. In the end the bar is gone, and the results follow.
func TestTerminal(t *testing.T) {
	t.Parallel()
	for _, columns := range []int{20, 40, 200} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			gleap := newGleap(0, 10*time.Millisecond)
			defer gleap.Close()
			p := newProject(t, gleap.URL, "concurrency = 2", append(userIDs(300), "refused-1")...)
			recording := ttytest.Record(t, columns, func(tty *os.File) {
				cmd := p.command("sync", "--log-level", "debug")
				cmd.Env = append(cmd.Env, "TERM=xterm-256color", "NO_COLOR=1")
				cmd.Stdout, cmd.Stderr = tty, tty
				if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 3 {
					t.Error(err)
				}
			})
			if n := ttytest.Bars(t, recording, columns); n < 3 {
				t.Errorf("the bar was drawn %d times: %q", n, recording)
			}
			screen := strings.Join(ttytest.Last(t, recording, columns), "\n")
			if ttytest.AnyBar.MatchString(screen) {
				t.Errorf("a bar is left:\n%s", screen)
			}
			if columns == 200 && !regexp.MustCompile(`^(time=\S+ level=\S+ msg=.*\n)+KEY +KIND .*\n`).MatchString(screen) {
				t.Errorf("the terminal shows\n%s", screen)
			}
		})
	}
}

// TestTerminalSaysItOnce: why an export is held stands in the log and in the report, and once where
// both go to a terminal.
func TestTerminalSaysItOnce(t *testing.T) {
	gleap := newGleap(0, 0)
	defer gleap.Close()
	p := newProject(t, gleap.URL, "", userIDs(100)...)
	if code, written := p.run(t, "sync"); code != 0 {
		t.Fatal(written)
	}
	p.write(t, "vip.csv", "user_id\nuser-000001\n")
	for _, command := range []string{"plan", "sync"} {
		screen := ttytest.Record(t, 200, func(tty *os.File) {
			cmd := p.command(command)
			cmd.Env = append(cmd.Env, "TERM=xterm-256color", "NO_COLOR=1")
			cmd.Stdout, cmd.Stderr = tty, tty
			_ = cmd.Run() // it ends with 4
		})
		code, written := p.run(t, command)
		const reason = "more than max_exits"
		if n := strings.Count(screen, reason); n != 1 || strings.Count(written, reason) != 2 || code != 4 {
			t.Errorf("%s says it %d times: %s\nand elsewhere, exit code %d: %s", command, n, screen, code, written)
		}
	}
}

// TestChangesSayItOnce: what is held stands below the contacts on a terminal, and in the log elsewhere.
func TestChangesSayItOnce(t *testing.T) {
	gleap := newGleap(0, 0)
	defer gleap.Close()
	p := newProject(t, gleap.URL, "", userIDs(100)...)
	config, err := os.ReadFile(p.path("c.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "c.toml", string(config)+"[[audience]]\nname = \"gold\"\nsource = \"gold.csv\"\n")
	p.write(t, "gold.csv", "user_id\nuser-000001\n")
	if code, written := p.run(t, "sync"); code != 0 {
		t.Fatal(written)
	}
	p.write(t, "vip.csv", "user_id\nuser-000001\n")
	if err := os.Remove(p.path("gold.csv")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"plan", "--changes"}, {"plan", "--changes", "--held", "--limit", "1"}} {
		screen := ttytest.Record(t, 300, func(tty *os.File) {
			cmd := p.command(args...)
			cmd.Env = append(cmd.Env, "TERM=xterm-256color", "NO_COLOR=1")
			cmd.Stdout, cmd.Stderr = tty, tty
			_ = cmd.Run() // it ends with 4
		})
		code, written := p.run(t, args...)
		for _, reason := range []string{"more than max_exits", "gold.csv does not exist"} {
			if n := strings.Count(screen, reason); n != 1 || strings.Contains(screen, "WARN") || !strings.Contains(written, reason) || code != 4 {
				t.Errorf("%q says %q %d times: %s\nand elsewhere, exit code %d: %s", args, reason, n, screen, code, written)
			}
		}
	}
}

// TestNoTerminal: there is no bar in a file, and none on a terminal that cannot draw one.
func TestNoTerminal(t *testing.T) {
	t.Parallel() // it waits
	gleap := newGleap(0, 10*time.Millisecond)
	defer gleap.Close()
	p := newProject(t, gleap.URL, "concurrency = 2", userIDs(100)...)
	code, written := p.run(t, "sync")
	dumb := ttytest.Record(t, 80, func(tty *os.File) {
		cmd := p.command("sync", "--full")
		cmd.Env = append(cmd.Env, "TERM=dumb")
		cmd.Stdout, cmd.Stderr = tty, tty
		if err := cmd.Run(); err != nil {
			t.Error(err)
		}
	})
	for _, written := range []string{written, dumb} {
		if code != 0 || ttytest.AnyBar.MatchString(written) || strings.Contains(written, "\x1b") || !strings.Contains(written, "100 of 100 contacts sent") {
			t.Errorf("exit code %d: %q", code, written)
		}
	}
}

// TestSecondSignal: a second signal ends a sync at once, and takes the bar away.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	started := make(chan *os.Process, 1)
	gleap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		process := <-started
		_, _ = io.Copy(io.Discard, r.Body) // else the end of the client is not noticed
		_, _ = process.Signal(syscall.SIGINT), process.Signal(syscall.SIGTERM)
		<-r.Context().Done()
	}))
	defer gleap.Close()
	p := newProject(t, gleap.URL, "", "u1")
	recording := ttytest.Record(t, 80, func(tty *os.File) {
		cmd := p.command("sync", "--log-level", "warn")
		cmd.Env = append(cmd.Env, "TERM=xterm")
		cmd.Stdout, cmd.Stderr = tty, tty
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		started <- cmd.Process
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 130 && code != 143 {
			t.Errorf("exit code %d", code)
		}
	})
	if rows := ttytest.Last(t, recording, 80); len(rows) > 0 || ttytest.Bars(t, recording, 80) == 0 {
		t.Errorf("%q", recording)
	}
}

// TestTable: on a terminal a table has what changed, and both ends of names that there is no room
// for.
func TestTable(t *testing.T) {
	gleap := newGleap(0, 0)
	defer gleap.Close()
	p := newProject(t, gleap.URL, "", "u1")
	name := "an_audience_" + strings.Repeat("with_a_long_name_", 5) + "eu"
	config, err := os.ReadFile(p.path("c.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "c.toml", string(config)+"[[audience]]\nname = \""+name+"\"\nsource = \"long.csv\"\n")
	p.write(t, "long.csv", "user_id,x\nu1,\nu2,\n")
	sync := func(args ...string) string {
		return strings.Join(ttytest.Last(t, ttytest.Record(t, 80, func(tty *os.File) {
			cmd := p.command(append([]string{"sync", "--log-level", "warn"}, args...)...)
			cmd.Stdout = tty
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		}), 80), "\n")
	}
	first := sync()
	for line := range strings.Lines(first) {
		if n := len([]rune(strings.TrimSpace(line))); n > 80 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	if !regexp.MustCompile(`\nan_audi\S+…\S+name_eu +2 +2 +applied`).MatchString(first) || strings.Contains(first, name) {
		t.Errorf("the terminal shows\n%s", first)
	}
	if second := sync(); !regexp.MustCompile(`^Nothing to send: Gleap is up to date \(.*\)\.$`).MatchString(second) {
		t.Errorf("the terminal shows\n%s", second)
	}
	p.write(t, "long.csv", "user_id,x\nu1,\nu2,\nu3,\n")
	if third := sync(); strings.Contains(third, "\nvip ") || !strings.Contains(strings.ReplaceAll(third, "\n", ""), "2 attributes: 1 changed (1 entered, 0 exited, 0 values), 0 held; --all shows every one.") {
		t.Errorf("the terminal shows\n%s", third)
	}
	if _, all := p.run(t, "inspect", "runs", "last", "--all"); !strings.Contains(all, name) {
		t.Errorf("in a pipe no name is cut:\n%s", all)
	}
}

// TestChangesOnTerminal: a terminal gets the first 20 contacts, and how many more there are.
// JSON is for a program, and whole.
func TestChangesOnTerminal(t *testing.T) {
	t.Parallel()
	gleap := newGleap(0, 0)
	defer gleap.Close()
	p := newProject(t, gleap.URL, "", userIDs(1025)...)
	screen := func(args ...string) string {
		return strings.Join(ttytest.Last(t, ttytest.Record(t, 80, func(tty *os.File) {
			cmd := p.command(append([]string{"plan", "--changes"}, args...)...)
			cmd.Stdout, cmd.Stderr = tty, tty
			if err := cmd.Run(); err != nil {
				t.Error(err)
			}
		}), 80), "\n")
	}
	text := screen()
	if n := strings.Count(text, "  first\n"); n != 20 || !strings.Contains(text, "and 1,005 more contacts: --limit 0 shows all") {
		t.Errorf("%d contacts:\n%s", n, text)
	}
	if n := strings.Count(screen("--limit", "0"), "  first\n"); n != 1025 {
		t.Errorf("--limit 0 shows %d", n)
	}
	if n := strings.Count(screen("--output", "json"), `{"user_id":`); n != 1025 {
		t.Errorf("JSON has %d", n)
	}
}
