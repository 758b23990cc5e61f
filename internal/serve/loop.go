package serve

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"golang.org/x/time/rate"

	"gleapsync/internal/config"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// Options say what a server does.
type Options struct {
	Config  *config.Config // to begin with
	Now     bool           // run once at start, before the first slot
	Version string
	Log     *slog.Logger
	// Load reads the configuration anew and checks it.
	Load func() (*config.Config, error)
	// Run carries out one sync. The error is a [*state.LockedError] if another process
	// is at it.
	Run func(ctx context.Context, cfg *config.Config, watch func(runs.Progress)) (runs.Report, error)
	// Reload wakes the server to read the configuration anew.
	Reload <-chan os.Signal
}

// Server runs syncs on a schedule. Its [site.Handler] shows what goes on.
type Server struct {
	site
	o    Options
	text []byte // of the configuration's file, as it was read last
	// problem is why that cannot be used, "": it is in force. It need not be the file: a
	// token may arrive later than the configuration that names it.
	problem string
}

// New returns a server.
func New(o Options) *Server {
	s := &Server{o: o, site: site{
		desk: newDesk(o.Log), version: o.Version, begun: time.Now(),
		reader: reader{pace: rate.NewLimiter(rate.Every(pause), 1), turn: make(chan struct{}, 1)},
	}}
	s.text, _ = os.ReadFile(o.Config.Path)
	s.config.Store(o.Config)
	return s
}

// lookEvery is how often the server looks whether the configuration's file changed. It is
// also how late a run can be after the machine slept.
const lookEvery = 10 * time.Second

// Serve runs syncs until ctx ends. Never two run at a time: a slot that comes while one
// is in flight is skipped. A run that fails is logged, and the next slot is another try.
func (s *Server) Serve(ctx context.Context) {
	slot := time.Now()
	begin := slot
	if !s.o.Now {
		slot, begin = s.next()
	}
	for {
		s.live.waits(begin)
		s.o.Log.Info("waiting", "next", begin.In(s.config.Load().Zone))
		for time.Now().Before(begin) {
			changed, ok := s.wait(ctx, begin)
			if !ok {
				return
			}
			// A clock that was ahead would have made it wait for as long as it was.
			if wentBack := s.schedule().Next(time.Now().Round(0)).Before(slot); changed || wentBack {
				slot, begin = s.next()
				s.live.waits(begin)
				s.o.Log.Info("waiting", "next", begin.In(s.config.Load().Zone))
			}
		}
		started := time.Now().Round(0)
		s.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if n := s.schedule().Missed(started, time.Now()); n > 0 {
			s.live.missed(n)
			s.o.Log.Warn("slots passed while the run was in flight: they are skipped", "slots", n)
		}
		slot, begin = s.next()
	}
}

// next returns the next slot and when its run begins.
func (s *Server) next() (slot, begin time.Time) {
	now := time.Now().Round(0) // by the wall clock: the other one stops while a machine sleeps
	slot = s.schedule().Next(now)
	return slot, slot.Add(s.schedule().Delay(slot)).UTC()
}

// wait waits for a time, at most for as long as a change of the configuration may go
// unnoticed. It reports whether the schedule changed, and false once ctx ended.
func (s *Server) wait(ctx context.Context, until time.Time) (changed, ok bool) {
	timer := time.NewTimer(min(lookEvery, time.Until(until)))
	defer timer.Stop()
	asked := false
	select {
	case <-ctx.Done():
		return false, false
	case <-s.o.Reload:
		asked = true
	case <-timer.C:
	}
	before := s.schedule().String()
	s.reload(asked)
	return s.schedule().String() != before, true
}

// reload takes the configuration of the file if that changed, if the one in it could not
// be used so far, or if somebody asked for it. It keeps the present one if there is
// something wrong with the new one.
func (s *Server) reload(asked bool) {
	path := s.config.Load().Path
	text, err := os.ReadFile(path)
	if err == nil && bytes.Equal(text, s.text) && s.problem == "" && !asked {
		return
	}
	s.text = text
	cfg, err := s.o.Load()
	if err != nil {
		if err.Error() != s.problem || asked {
			s.o.Log.Error("the configuration cannot be used: the one before stays in force", "file", path, "error", err.Error())
		}
		s.problem = err.Error()
	} else {
		s.config.Store(cfg)
		s.problem = ""
		s.o.Log.Info("the configuration was loaded anew", "file", path)
	}
	s.live.configuration(s.problem)
}

// run carries out one sync.
func (s *Server) run(ctx context.Context) {
	s.live.begins()
	report, err := s.o.Run(ctx, s.config.Load(), s.live.watch)
	failed := ""
	switch {
	case errors.As(err, new(*state.LockedError)):
		failed = err.Error()
		s.live.missed(1)
		s.o.Log.Warn("the slot is skipped: another run is in flight", "error", failed)
	case errors.Is(err, sync.ErrInterrupted):
		s.o.Log.Info("the run was interrupted", "sent", report.Contacts.Sent, "remaining", report.Contacts.Remaining)
	case err != nil:
		if !report.Recorded {
			failed = err.Error()
		}
		s.o.Log.Error("the run failed", "error", err.Error())
	default:
		s.o.Log.Info("the run ended", "outcome", report.Outcome, "sent", report.Contacts.Sent, "events", report.Events.Sent, "calls", report.Calls.All(),
			"remaining", report.Contacts.Remaining, "remaining_events", report.Events.Remaining, "parked", report.Contacts.Parked, "seconds", report.Finished.Sub(report.Started).Seconds())
	}
	s.live.ends(report, failed)
}
