package serve

import (
	"log/slog"
	"sync/atomic"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/schedule"
)

// site is what others see of a server: what it does, and what its state says.
type site struct {
	version string
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

func (s *site) zone() *time.Location { return s.config.Load().Zone }
