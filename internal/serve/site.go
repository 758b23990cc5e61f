package serve

import (
	"net/url"
	"time"

	"gleapsync/internal/page"
	"gleapsync/internal/runs"
	"gleapsync/internal/schedule"
	"gleapsync/state"
)

// site is what others see of a server: what it does, and what its state says.
type site struct {
	*desk
	version string
	below   string // what the site's addresses are below, with the project's name; "" for one project alone
	named   string // the configuration file of one of several projects, for commands that can be pasted
	begun   time.Time
	live    live
	reader
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
	cfg := s.config.Load()
	common := page.Site{Version: s.version, Zone: cfg.Zone, Config: s.named}
	if s.below != "" {
		common.Several, common.Base = true, s.below+url.PathEscape(cfg.Sync.Project)
	}
	return common
}
