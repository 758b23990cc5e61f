//go:build unix

package console

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gleapsync/internal/runs"
	"gleapsync/internal/ttytest"
)

// minute shows a minute of a run, five times a second, with a log line every six seconds
// and at the end. It returns those.
func minute(t *testing.T, b *Bar) (logged []string) {
	synctest.Test(t, func(t *testing.T) {
		logger := slog.New(slog.NewTextHandler(b, nil))
		for i := range 300 {
			p := runs.Progress{Phase: "reading", Done: i << 14}
			if i >= 100 {
				p = runs.Progress{Phase: "sending", Done: (i - 100) * 50, Total: 12_345}
			}
			if i >= 250 {
				p = runs.Progress{Phase: "events", Done: i - 250, Total: 60}
			}
			b.Show(p)
			if i%30 == 0 {
				msg := fmt.Sprintf("line-%d-%s-end", i, strings.Repeat("x", i/2))
				logged = append(logged, fmt.Sprintf("time=%s level=INFO msg=%s", time.Now().Format("2006-01-02T15:04:05.000Z07:00"), msg))
				logger.Info(msg)
			}
			time.Sleep(200 * time.Millisecond)
		}
		logged = append(logged, "short")
		fmt.Fprintln(b, "short")
	})
	return logged
}

// TestMinute: what a terminal of any width shows after a minute of a run is the log lines,
// whole, and below them one bar; at no time were there two of them. In the end there is
// none, and what follows stands below the log lines.
func TestMinute(t *testing.T) {
	for _, columns := range []int{8, 20, 40, 80} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprint(columns, closed), func(t *testing.T) {
				var want []string
				recording := ttytest.Record(t, columns, func(tty *os.File) {
					b := NewBar(tty)
					for _, line := range minute(t, b) {
						for row := range slices.Chunk([]byte(line), columns) {
							want = append(want, string(row))
						}
					}
					if closed {
						b.Close()
						b.Show(runs.Progress{Phase: "late"})
						fmt.Fprintln(b, "results")
					}
				})
				if n := ttytest.Bars(t, recording, columns); n < 300 && columns > 8 {
					t.Errorf("the bar was drawn %d times", n)
				}
				switch {
				case closed:
					want = append(want, "results")
				case columns == 8: // no room
				case columns == 20:
					want = append(want, "events 49 of 60")
				case columns == 40:
					want = append(want, "events 49 of 60, 4.9/s, 2s left")
				default:
					want = append(want, "[################....] events 49 of 60, 4.9/s, 2s left")
				}
				if got := ttytest.Last(t, recording, columns); !slices.Equal(got, want) {
					t.Errorf("the terminal shows\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		}
	}
}

// TestProgressLine: the line has what there is room for, and no part of a number.
func TestProgressLine(t *testing.T) {
	for _, test := range []struct {
		p       runs.Progress
		elapsed time.Duration
		columns int
		want    string
	}{
		{runs.Progress{Phase: "reading"}, 0, 80, "reading 0"},
		{runs.Progress{Phase: "reading", Done: 1 << 20}, 4 * time.Second, 80, "reading 1,048,576, 262,144/s"},
		{runs.Progress{Phase: "sending", Total: 60_000}, 0, 80, "[....................] sending 0 of 60,000"},
		{runs.Progress{Phase: "sending", Total: 60_000}, time.Hour, 80, "[....................] sending 0 of 60,000"},
		{runs.Progress{Phase: "sending", Done: 12_345, Total: 60_000}, 741 * time.Second, 80, "[####................] sending 12,345 of 60,000, 17/s, 47m40s left"},
		{runs.Progress{Phase: "sending", Done: 600, Total: 60_000}, 36 * time.Second, 80, "[....................] sending 600 of 60,000, 17/s, 59m24s left"},
		{runs.Progress{Phase: "sending", Done: 3, Total: 60_000}, 9 * time.Second, 80, "[....................] sending 3 of 60,000, 0.3/s, 50h0m left"},
		{runs.Progress{Phase: "sending", Done: 1, Total: 1e9}, time.Hour, 80, "[....................] sending 1 of 1,000,000,000, 0.0/s"},
		{runs.Progress{Phase: "events", Done: 60, Total: 60}, 12 * time.Second, 80, "[####################] events 60 of 60, 5.0/s, 0s left"},
		{runs.Progress{Phase: "events", Done: 70, Total: 60}, 12 * time.Second, 80, "[####################] events 70 of 60, 5.8/s, 0s left"},
		{runs.Progress{Phase: "sending", Done: 12_345, Total: 60_000}, 741 * time.Second, 40, "sending 12,345 of 60,000, 17/s"},
		{runs.Progress{Phase: "sending", Done: 12_345, Total: 60_000}, 741 * time.Second, 20, "sending 12,345"},
		{runs.Progress{Phase: "sending", Done: 12_345, Total: 60_000}, 741 * time.Second, 12, "sending"},
		{runs.Progress{Phase: "sending", Done: 12_345, Total: 60_000}, 741 * time.Second, 1, ""},
	} {
		if got := progressLine(test.p, test.elapsed, test.columns-3); got != test.want {
			t.Errorf("%+v after %s in %d columns: %q, want %q", test.p, test.elapsed, test.columns, got, test.want)
		}
	}
}

// TestInterruptKey: the ^C that a terminal shows when the key is pressed moves nothing.
func TestInterruptKey(t *testing.T) {
	for columns := 1; columns <= 80; columns++ {
		recording := ttytest.Record(t, columns, func(tty *os.File) {
			b := NewBar(tty)
			for done := range 10 {
				b.Show(runs.Progress{Phase: "sending", Done: done, Total: 10})
				if columns > 2 {
					fmt.Fprint(tty, "^C")
				}
			}
			b.Close()
		})
		if rows := ttytest.Last(t, recording, columns); len(rows) > 0 {
			t.Errorf("%d columns: %q is left", columns, rows)
		}
	}
}
