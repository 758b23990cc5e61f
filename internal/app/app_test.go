//go:build unix

package app

import (
	"log"
	"log/slog"
	"os"
	"strings"
	"testing"

	"gleapsync/internal/runs"
	"gleapsync/internal/ttytest"
)

// TestLibraryLog: what a library writes with package log stands above the bar, as a log
// line.
func TestLibraryLog(t *testing.T) {
	t.Setenv("TERM", "xterm")
	before := slog.Default()
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
	}()
	const columns = 120
	recording := ttytest.Record(t, columns, func(tty *os.File) {
		a := newApp(flags{}, "", nil, tty)
		a.watch()(runs.Progress{Phase: "reading", Done: 1})
		log.Print("what a library says")
		slog.Info("and another one")
	})
	rows := ttytest.Last(t, recording, columns)
	if ttytest.Bars(t, recording, columns) == 0 || len(rows) != 3 || rows[2] != "reading 1" ||
		!strings.HasSuffix(rows[0], ` level=INFO msg="what a library says"`) || !strings.HasSuffix(rows[1], ` level=INFO msg="and another one"`) {
		t.Errorf("the terminal shows\n%s", strings.Join(rows, "\n"))
	}
}
