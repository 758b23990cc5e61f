package console

import (
	"io"
	"strings"
	stdsync "sync"
	"time"

	progressbar "github.com/jedib0t/go-pretty/v6/progress"

	"gleapsync/sync"
)

// Bar is a progress bar on a terminal. Log lines go through it, so that both stay
// whole.
type Bar struct {
	writer  progressbar.Writer
	mu      stdsync.Mutex
	tracker *progressbar.Tracker
	phase   string
	done    chan struct{}
}

// NewBar begins to draw on w, which is a terminal.
func NewBar(w io.Writer) *Bar {
	b := &Bar{writer: progressbar.NewWriter(), done: make(chan struct{})}
	b.writer.SetOutputWriter(w)
	b.writer.SetAutoStop(false)
	b.writer.SetUpdateFrequency(200 * time.Millisecond)
	b.writer.SetTrackerLength(30)
	b.writer.SetTrackerPosition(progressbar.PositionRight)
	b.writer.Style().Options.TimeInProgressPrecision = time.Second
	b.writer.Style().Visibility = progressbar.StyleVisibility{ETA: true, Percentage: true, Speed: true, Time: true, Tracker: true, Value: true}
	go func() {
		defer close(b.done)
		b.writer.Render()
	}()
	return b
}

// Show draws how far a run is.
func (b *Bar) Show(p sync.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
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

// Write writes log lines above the bar.
func (b *Bar) Write(line []byte) (int, error) {
	b.writer.Log("%s", strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

// Close ends the drawing.
func (b *Bar) Close() {
	if b.tracker != nil {
		b.tracker.MarkAsDone()
	}
	b.writer.Stop()
	<-b.done
}
