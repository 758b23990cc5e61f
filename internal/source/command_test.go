//go:build unix

package source

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script is the output of what a shell script writes.
func script(t *testing.T, text string) Place {
	return Place{
		Command: []string{"/bin/sh", "-c", text}, Source: "sh", Dir: t.TempDir(),
	}
}

func TestCommandOutput(t *testing.T) {
	e := script(t, `cat members.csv; echo "two rows" >&2`)
	var said []string
	e.Log = func(line string) { said = append(said, line) }
	if err := os.WriteFile(filepath.Join(e.Dir, "members.csv"), []byte("user_id,x\nu1,\nu2,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := rows(e)
	if err != nil || !slices.Equal(got, []string{"u1", "u2"}) || !slices.Equal(said, []string{"two rows"}) {
		t.Errorf("%q, %v, said %q", got, err, said)
	}
	inputs, err := e.Find(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if what := identified(t, e); what != "" || time.Since(inputs.AsOf()) > time.Minute {
		t.Errorf("identified as %q, of %v", what, inputs.AsOf())
	}
}

// TestCommandFails: what a command wrote before it failed counts for nothing.
func TestCommandFails(t *testing.T) {
	t.Setenv("SNOWSQL_PWD", "hunter22")
	t.Setenv("A_PRIVATE_KEY", "-----BEGIN-----\nMIIEvQ\n")
	for text, want := range map[string]string{
		`echo user_id,x; echo u1,; exit 3`:                          "sh: the command failed: exit status 3",
		`echo user_id,x; printf u1; echo no such table >&2; exit 1`: "sh: the command failed: exit status 1: no such table",
		`exit 1`:                    "sh: the command failed: exit status 1",
		`kill -9 $$`:                "sh: the command failed: signal: killed",
		`printf '\037\213'; exit 1`: "sh: the command failed: exit status 1",
		`echo "login as $SNOWSQL_PWD failed, $A_PRIVATE_KEY" >&2; exit 1`:                "sh: the command failed: exit status 1: MIIEvQ",
		`echo "cannot reach postgres://ada:pa@ss@db:5432/x with SECRET" >&2; exit 1`:     "sh: the command failed: exit status 1: cannot reach postgres://***@db:5432/x with ***",
		`echo user_id,x; echo u1, && printf '%1000s' x | tr ' ' y >&2; echo >&2; exit 1`: "sh: the command failed: exit status 1: " + strings.Repeat("y", 300) + "…",
	} {
		want = strings.ReplaceAll(want, "MIIEvQ", "***")
		e := script(t, text)
		e.Secrets = []string{"SECRET", ""}
		_, err := rows(e)
		if err == nil || err.Error() != want || !errors.As(err, new(*UnreadableError)) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	_, err := rows(Place{Command: []string{"no-such-program", "hunter22"}, Source: "no-such-program"})
	if err == nil || err.Error() != "no-such-program cannot be started: executable file not found in $PATH" {
		t.Errorf("no such program: %v", err)
	}
	if _, err := rows(script(t, "true")); err == nil || err.Error() != "sh: the file is empty" {
		t.Errorf("no output: %v", err)
	}
}

// TestCommandStops: at the end of its time, and when nobody reads any more, a command
// ends with all that it started.
func TestCommandStops(t *testing.T) {
	stop := errors.New("stop")
	for name, test := range map[string]struct {
		timeout time.Duration
		yield   error
		want    string
	}{
		"time-out":    {100 * time.Millisecond, nil, "sh: the command took longer than timeout = 100ms allows"},
		"early close": {0, stop, "stop"},
		"cancel":      {0, nil, "context canceled"},
	} {
		e := script(t, `exec 9>alive; echo user_id,x; i=0; while [ $i -lt 5000 ]; do echo u$i,; i=$((i+1)); done; sleep 1000 & wait`)
		e.Timeout = test.timeout
		// It has an end when the last process has gone that could write to it.
		path := filepath.Join(e.Dir, "alive")
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		alive, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		err = eachRow(ctx, e, func(string) error {
			if name == "cancel" {
				cancel()
			}
			return test.yield
		})
		if err == nil || err.Error() != test.want && !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
		if _, err := io.ReadAll(alive); err != nil {
			t.Error(name, err)
		}
		alive.Close()
		cancel()
	}
}

// TestCommandEnvironment: a command gets the environment without what is hidden from it.
func TestCommandEnvironment(t *testing.T) {
	t.Setenv("HIDDEN", "u2")
	t.Setenv("SHOWN", "u3")
	e := script(t, `echo user_id; echo "u1 $HIDDEN $SHOWN $(basename "$PWD")"`)
	e.Hidden = []string{"HIDDEN", "NONE"}
	got, err := rows(e)
	if err != nil || !slices.Equal(got, []string{"u1  u3 " + filepath.Base(e.Dir) + ""}) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCommandSaysMuch(t *testing.T) {
	e := script(t, `echo user_id,x; i=0; while [ $i -lt 500 ]; do echo line $i >&2; i=$((i+1)); done`)
	var said []string
	e.Log = func(line string) { said = append(said, line) }
	if _, err := rows(e); err != nil || len(said) != maxSaidLines+1 || said[maxSaidLines] != "and more, which is left out" {
		t.Errorf("%v, %d lines, last %q", err, len(said), said[len(said)-1])
	}
}

func TestCommandName(t *testing.T) {
	for want, command := range map[string][]string{
		"bq query": {"/opt/bin/bq", "query", "select secret"}, "snowsql": {"snowsql", "-q", "x"}, "psql": {"psql", "postgres://ada:secret@db"},
		"cat": {"cat"}, "x": {"x", "${SECRET}"},
	} {
		if got := CommandName(command); got != want {
			t.Errorf("%q: %q", want, got)
		}
	}
}
