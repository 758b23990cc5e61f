package serve

import (
	"log/slog"
	"sync/atomic"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/page"
	"gleapsync/internal/runs"
	"gleapsync/internal/schedule"
	"gleapsync/state"
)

// site is what others see of a server: what it does, and what its state says.
type site struct {
	version string
	base    string // that its addresses begin with
	log     *slog.Logger
	begun   time.Time
	config  atomic.Pointer[config.Config] // in force
	live    live
	reader  reader
	limits  limits
	making  chan struct{} // taken while an answer is made
	lookUp  chan struct{} // taken while exports are read for somebody
}

func (s *site) schedule() schedule.Schedule { return s.config.Load().Schedule }

// now returns what goes on: the run of this process, or else of another one on the same state.
func (s *site) now() page.Now {
	now, _ := s.live.snapshot()
	if now.Running {
		return now
	}
	if h := state.HolderOf(s.config.Load().State.Path); h != nil {
		r := h.Running
		now.Running, now.Started, now.Holder = true, r.Started, h
		now.Progress = runs.Progress{Phase: r.Phase, Done: r.Done, Total: r.Total}
		now.Rate, now.Left = r.Rate(), r.Left(time.Now())
	}
	return now
}

// common is what its pages have in common.
func (s *site) common() page.Site {
	return page.Site{Version: s.version, Zone: s.config.Load().Zone, Base: s.base}
}
