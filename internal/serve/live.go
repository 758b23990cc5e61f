package serve

import (
	stdsync "sync"
	"time"

	"gleapsync/internal/page"
	"gleapsync/internal/runs"
)

// live is what the process is doing, for those who ask.
type live struct {
	mu    stdsync.Mutex
	now   page.Now
	phase time.Time    // when the run's phase began
	last  *runs.Report // of this process, nil: none yet
}

func (l *live) do(fn func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn()
}

// waits says when the next run begins.
func (l *live) waits(next time.Time) { l.do(func() { l.now.Next = next }) }

func (l *live) begins() {
	l.do(func() {
		l.now.Running, l.now.Started, l.now.Next = true, time.Now(), time.Time{}
		l.now.Progress, l.phase = runs.Progress{Phase: "starting"}, time.Now()
	})
}

// watch takes a run's progress.
func (l *live) watch(p runs.Progress) {
	l.do(func() {
		if p.Phase != l.now.Progress.Phase {
			l.phase = time.Now()
		}
		l.now.Progress = p
	})
}

// ends says how the run ended: with a report, or without one since it could not begin.
func (l *live) ends(r runs.Report, failed string) {
	l.do(func() {
		l.now.Running, l.now.Failed = false, failed
		if r.Outcome != "" { // it is empty if another process was at it
			l.last = &r
		}
	})
}

func (l *live) missed(n int) { l.do(func() { l.now.Missed += n }) }

// configuration says what is wrong with the configuration as it stands, "": nothing.
func (l *live) configuration(problem string) { l.do(func() { l.now.Config = problem }) }

// snapshot returns what goes on.
func (l *live) snapshot() (now page.Now, last *runs.Report) {
	l.do(func() {
		now, last = l.now, l.last
		if !now.Running {
			return
		}
		p := now.Progress
		if took := time.Since(l.phase).Seconds(); took > 0 {
			now.Rate = float64(p.Done) / took
		}
		if p.Total > 0 && now.Rate > 0 {
			now.Left = time.Duration(float64(p.Total-p.Done) / now.Rate * float64(time.Second))
		}
	})
	return now, last
}
