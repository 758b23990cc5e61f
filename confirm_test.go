//go:build unix

package main

import (
	"os"
	"strings"
	"testing"

	"gleapsync/internal/ttytest"
)

// TestConfirm: on a terminal what cannot be undone is asked before, and done only if the answer
// is yes; with --yes, and where there is no terminal, it is done.
func TestConfirm(t *testing.T) {
	t.Parallel()
	gleap := newGleap(0, 0)
	t.Cleanup(gleap.Close) // after the tests that are parallel
	commands := map[string]struct {
		args     []string
		question string
	}{
		"forget":   {[]string{"forget", "user-000000", "user-000001"}, "Delete 2 contacts in Gleap and here, and never create them again? [y/N]"},
		"baseline": {[]string{"baseline"}, "Take what the exports say as delivered, without telling Gleap? [y/N]"},
		"discard":  {[]string{"discard", "--parked", "user-000001"}, "Drop all events that Gleap refused, of 1 contact, so that they are never sent? [y/N]"},
		"restore":  {[]string{"restore", "BACKUP"}, "backup.db? [y/N]"},
	}
	for name, test := range commands {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t, gleap.URL, "", userIDs(3)...)
			for i, arg := range test.args {
				if arg == "BACKUP" {
					test.args[i] = p.path("backup.db")
				}
			}
			for _, args := range [][]string{{"sync"}, {"backup", p.path("backup.db")}} {
				if code, written := p.run(t, args...); code != 0 {
					t.Fatalf("%v: exit code %d: %s", args, code, written)
				}
			}
			ask := func(answer string, more ...string) (code int, screen string) {
				recording := ttytest.Record(t, 200, func(tty *os.File) {
					cmd := p.command(append(test.args, more...)...)
					cmd.Env = append(cmd.Env, "TERM=dumb")
					cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
					_ = cmd.Run()
					code = cmd.ProcessState.ExitCode()
				}, answer)
				return code, strings.Join(ttytest.Last(t, recording, 200), "\n")
			}
			for _, answer := range []string{"\n", "n\n", "what\n"} {
				if code, screen := ask(answer); code != 1 || !strings.Contains(screen, test.question) || !strings.Contains(screen, "gleapsync: nothing was done") {
					t.Errorf("%q: exit code %d:\n%s", answer, code, screen)
				}
			}
			if code, screen := ask("", "--yes"); code != 0 || strings.Contains(screen, "[y/N]") {
				t.Errorf("--yes: exit code %d:\n%s", code, screen)
			}
			if code, screen := ask("y\n"); code != 0 || !strings.Contains(screen, test.question) {
				t.Errorf("yes: exit code %d:\n%s", code, screen)
			}
			if code, written := p.run(t, test.args...); code != 0 || strings.Contains(written, "[y/N]") {
				t.Errorf("without a terminal: exit code %d: %s", code, written)
			}
		})
	}
}
