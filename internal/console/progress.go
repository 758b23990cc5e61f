package console

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"os"
	"strings"
	stdsync "sync"
	"time"

	"golang.org/x/term"

	"gleapsync/internal/human"
	"gleapsync/internal/runs"
)

// Bar is the last line of a terminal, which says how far a run is. Log lines go through it
// and stand above, so that both stay whole.
type Bar struct {
	terminal *os.File
	mu       stdsync.Mutex
	last     runs.Progress // without a phase: nothing to show
	began    time.Time     // the phase
	closed   bool
}

// NewBar returns a bar for a terminal.
func NewBar(terminal *os.File) *Bar { return &Bar{terminal: terminal} }

// toEnd erases from the cursor to the end of its line.
const toEnd = "\x1b[K"

// Show draws how far a run is over what was drawn last.
func (b *Bar) Show(p runs.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	if p.Phase != b.last.Phase {
		b.began = time.Now()
	}
	b.last = p
	_, _ = b.terminal.WriteString("\r" + b.line() + toEnd)
}

// Write writes a log line above the bar.
func (b *Bar) Write(log []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.last.Phase == "" {
		return b.terminal.Write(log)
	}
	_, err := fmt.Fprintf(b.terminal, "\r%s%s\n%s", toEnd, bytes.TrimSuffix(log, []byte("\n")), b.line())
	return len(log), err
}

// Close takes the bar away for good.
func (b *Bar) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed && b.last.Phase != "" {
		_, _ = b.terminal.WriteString("\r" + toEnd)
	}
	b.closed = true
}

func (b *Bar) line() string {
	columns, _, _ := term.GetSize(int(b.terminal.Fd())) // it may have changed
	// The ^C that a terminal shows, and the cursor, must not go on to the next line.
	return progressLine(b.last, time.Since(b.began), cmp.Or(columns, 80)-len("^C ")) // 0: not known
}

// progressLine says how far a run is, with what there is room for in so many columns: no
// number loses digits.
func progressLine(p runs.Progress, elapsed time.Duration, columns int) string {
	parts := []string{p.Phase, " " + human.Grouped(p.Done)}
	if p.Total > 0 {
		parts = append(parts, " of "+human.Grouped(p.Total))
	}
	if elapsed >= time.Second && p.Done > 0 {
		parts = append(parts, ", "+rate(float64(p.Done)/elapsed.Seconds()))
		left := elapsed.Hours() * float64(max(0, p.Total-p.Done)) / float64(p.Done)
		if p.Total > 0 && left < 1000 { // else it says little
			parts = append(parts, ", "+human.About(time.Duration(left*float64(time.Hour)).Round(time.Second))+" left")
		}
	}
	line := ""
	for _, part := range parts {
		if len(line)+len(part) > columns {
			return line
		}
		line += part
	}
	const cells = 20
	if p.Total > 0 && len("[] ")+cells+len(line) <= columns {
		full := min(cells, cells*p.Done/p.Total)
		line = "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "] " + line
	}
	return line
}

// rate writes how many there are in a second.
func rate(perSecond float64) string {
	if perSecond < 10 {
		return fmt.Sprintf("%.1f/s", perSecond)
	}
	return human.Grouped(int(math.Round(perSecond))) + "/s"
}
