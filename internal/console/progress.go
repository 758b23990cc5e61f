package console

import (
	"io"
	"strings"
	stdsync "sync"
	"time"

	progressbar "github.com/jedib0t/go-pretty/v6/progress"

	"gleapsync/sync"
)

// Bar is a progress bar on a terminal, from the first time that it is shown. Log lines
// go through it, so that both stay whole.
type Bar struct {
	terminal io.Writer
	mu       stdsync.Mutex
	writer   progressbar.Writer // nil: not shown yet, or closed
	tracker  *progressbar.Tracker
	phase    string
	done     chan struct{}
}

// NewBar returns a bar for a terminal.
func NewBar(terminal io.Writer) *Bar { return &Bar{terminal: terminal} }

// Show draws how far a run is.
func (b *Bar) Show(p sync.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writer == nil {
		b.start()
	}
	if p.Phase != b.phase {
		if b.tracker != nil {
			b.tracker.MarkAsDone()
		}
		b.phase = p.Phase
		b.tracker = &progressbar.Tracker{Message: p.Phase, Total: int64(p.Total), AutoStopDisabled: true, RemoveOnCompletion: true}
		b.writer.AppendTracker(b.tracker)
	}
	b.tracker.SetValue(int64(p.Done))
}

func (b *Bar) start() {
	w := progressbar.NewWriter()
	w.SetOutputWriter(b.terminal)
	w.SetAutoStop(false)
	w.SetUpdateFrequency(200 * time.Millisecond)
	w.SetTrackerLength(30)
	w.SetTrackerPosition(progressbar.PositionRight)
	w.Style().Options.TimeInProgressPrecision = time.Second
	w.Style().Visibility = progressbar.StyleVisibility{ETA: true, Percentage: true, Speed: true, Time: true, Tracker: true, Value: true}
	b.writer, b.done = w, make(chan struct{})
	go func() {
		defer close(b.done)
		w.Render()
	}()
}

// Write writes log lines above the bar.
func (b *Bar) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writer == nil {
		return b.terminal.Write(line)
	}
	b.writer.Log("%s", strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

// Close ends the drawing.
func (b *Bar) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writer == nil {
		return
	}
	b.tracker.MarkAsDone()
	for stopped := false; !stopped; { // it cannot be stopped before it has begun
		b.writer.Stop()
		select {
		case <-b.done:
			stopped = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	b.writer, b.tracker, b.phase = nil, nil, ""
}
