package serve

import (
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"gleapsync/internal/config"
	"gleapsync/sync"
)

// site is what others see of a server: what it does, and what its state says.
type site struct {
	version string
	log     *slog.Logger
	begun   time.Time
	config  *atomic.Pointer[config.Config] // in force
	live    *live
	reader  reader
	limits  limits
	making  chan struct{} // taken while an answer is made
	lookUp  chan struct{} // taken while exports are read for somebody
}

func newSite(cfg *config.Config, version string, log *slog.Logger) site {
	l := usualLimits()
	s := site{
		version: version, log: log, begun: time.Now(), config: &atomic.Pointer[config.Config]{}, live: &live{},
		reader: reader{pace: rate.NewLimiter(rate.Every(pause), 1), turn: make(chan struct{}, 1)},
		limits: l, making: make(chan struct{}, l.making), lookUp: make(chan struct{}, 1),
	}
	s.config.Store(cfg)
	return s
}

func (s *site) schedule() sync.Schedule { return s.config.Load().Schedule }
