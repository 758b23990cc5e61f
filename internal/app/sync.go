package app

import (
	"context"
	"errors"
	"time"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/inputs"
	"gleapsync/internal/metrics"
	"gleapsync/internal/notify"
	"gleapsync/internal/otlp"
	"gleapsync/internal/runs"
	"gleapsync/internal/savedplan"
	"gleapsync/state"
	"gleapsync/sync"
)

type syncCmd struct {
	runFlags
	shownFlags
	DryRun   bool   `help:"Do what plan does."`
	Rehearse bool   `help:"Send to a sandbox, a hundred times as fast as Gleap allows, from a copy of the state: nothing is changed."`
	Plan     string `help:"Send what a file has that plan --save wrote, and read no export." placeholder:"FILE"`
}

// Run sends what changed.
func (c *syncCmd) Run(ctx context.Context, a *App) error {
	if c.DryRun && c.Rehearse {
		return &UsageError{errors.New("--dry-run shows the plan, and --rehearse carries it out in a sandbox: give one of them")}
	}
	if c.Plan != "" {
		return c.carryOut(ctx, a)
	}
	if c.DryRun {
		return (&planCmd{runFlags: c.runFlags, shownFlags: c.shownFlags}).Run(ctx, a)
	}
	return a.each(ctx, c.alone(), console.OfSync, c.one)
}

// one shows the report whatever the error.
func (c *syncCmd) one(ctx context.Context, a *App) (runs.Report, error) {
	cfg, err := a.config()
	if err != nil {
		return runs.Report{}, err
	}
	request, err := c.request(cfg)
	if err != nil {
		return runs.Report{}, err
	}
	cfg.Sync.Shown = a.showsBoth()
	if c.Rehearse {
		if err := a.look(ctx, cfg); err != nil {
			return runs.Report{}, err
		}
		report, err := c.rehearse(a, cfg, request, func(runner *sync.Runner) (runs.Report, error) { return runner.Sync(ctx, request) })
		return report, judge(report, err)
	}
	report, embedded, err := newSyncer(a).sync(ctx, cfg, request, a.watch())
	return report, judge(report, a.printRun(report, c.shown(), embedded, err))
}

// carryOut sends what a saved plan has.
func (c *syncCmd) carryOut(ctx context.Context, a *App) error {
	if c.DryRun {
		return &UsageError{errors.New("--dry-run is not for --plan: gleapsync plan --show FILE shows what it would send")}
	}
	if c.alone() != "" {
		return &UsageError{errors.New("--plan sends what the file has: --full, --only, --max-exits and --accept-absence go with plan --save, which makes it")}
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	saved, err := savedplan.Read(c.Plan)
	if err != nil {
		return err
	}
	defer saved.Close()
	request := sync.RequestOf(saved)
	run := func(ctx context.Context, runner *sync.Runner) (runs.Report, error) {
		return runner.CarryOut(ctx, saved)
	}
	if c.Rehearse {
		if err := a.look(ctx, cfg); err != nil {
			return err
		}
		return judge(c.rehearse(a, cfg, request, func(runner *sync.Runner) (runs.Report, error) { return run(ctx, runner) }))
	}
	report, embedded, err := newSyncer(a).carryOut(ctx, cfg, request, a.watch(), run)
	return judge(report, a.printRun(report, c.shown(), embedded, err))
}

// syncer syncs, one time or again and again. It remembers what the state does not have.
type syncer struct {
	*App
	// last is the last sync of this process, empty if there was none.
	last runs.Report
	// states are the states that this process saw, by their paths: none may vanish unnoticed.
	states map[string]*state.Mark
}

func newSyncer(a *App) *syncer { return &syncer{App: a, states: map[string]*state.Mark{}} }

// open opens the state for a sync.
func (s *syncer) open(cfg *config.Config) (*state.Store, error) {
	known := s.states[cfg.State.Path]
	if cfg.Replica != nil { // which knows better: another machine may have gone on
		known = nil
	}
	store, err := openForRun(cfg, known)
	if store != nil {
		s.remember(store)
	}
	return store, err
}

// remember notes what a state is like.
func (s *syncer) remember(store *state.Store) {
	if m := store.Mark(); m != nil {
		s.states[store.Path()] = m
	}
}

// sync carries out one sync.
func (s *syncer) sync(ctx context.Context, cfg *config.Config, r inputs.Request, watch func(runs.Progress)) (runs.Report, *sandbox.Sandbox, error) {
	return s.carryOut(ctx, cfg, r, watch, func(ctx context.Context, runner *sync.Runner) (runs.Report, error) { return runner.Sync(ctx, r) })
}

// carryOut carries out one sync, of which r says what it is about, tells those who want to know, and
// leaves its metrics. Of a sync that could not begin the report has the outcome and the error only,
// and no run id.
func (s *syncer) carryOut(ctx context.Context, cfg *config.Config, r inputs.Request, watch func(runs.Progress), run func(context.Context, *sync.Runner) (runs.Report, error)) (runs.Report, *sandbox.Sandbox, error) {
	started := time.Now().UTC()
	var o config.Notify
	if len(r.Only) == 0 { // else the exports that were not looked at would seem to be well
		o = cfg.Notify
	}
	notifier := notify.New(o, s.named, s.log)
	notifier.Started(ctx)
	defer notifier.Wait()
	before := s.lastSync(cfg)
	var told runs.Report
	var embedded *sandbox.Sandbox
	held, within, end, err := s.hold(ctx, cfg, false)
	if err == nil {
		before = s.lastSync(cfg)
		var store *state.Store
		if store, err = s.open(held); err == nil {
			told, embedded, err = s.call(held, store, r.TellsAll(), watch, func(runner *sync.Runner) (runs.Report, error) { return run(within, runner) })
			s.remember(store)
		}
		err = end(err)
	}
	if errors.As(err, new(*state.LockedError)) || errors.As(err, new(*savedplan.RefusedError)) {
		return told, embedded, err // the other run says how it ends, or nothing happened
	}
	if told.Outcome == "" {
		told = runs.Report{Command: "sync", Project: cfg.Sync.Project, Started: started, Finished: time.Now().UTC(), Outcome: runs.Failed}
	}
	if told.Outcome == runs.Failed && told.Error == "" {
		told.Error = err.Error()
	}
	if len(r.Only) == 0 {
		s.last = told
	}
	s.publish(context.WithoutCancel(ctx), cfg, told)
	notifier.Finished(ctx, before, told)
	return told, embedded, err
}

// lastSync returns the report of the sync before, nil if there is none.
func (s *syncer) lastSync(cfg *config.Config) *runs.Report {
	var stored *runs.Report
	if v, err := viewOf(cfg); err == nil { // else the run says what is wrong with the state
		stored, _ = v.LastWholeSync()
	}
	// What could not begin, or not be recorded, only this process knows of.
	if last := s.last; last.Outcome != "" && !last.Recorded && (stored == nil || last.Finished.After(stored.Finished)) {
		return &last
	}
	return stored
}

// publish leaves the metrics of a sync where the configuration says, and tells an OpenTelemetry
// collector of it. It never fails a run.
func (s *syncer) publish(ctx context.Context, cfg *config.Config, last runs.Report) {
	c := metrics.NewCollector(s.version, func() metrics.Snapshot {
		v, err := viewOf(cfg)
		if err != nil {
			return metrics.Snapshot{Last: &last}
		}
		return metrics.Read(v, &last)
	})
	if err := metrics.Publish(ctx, cfg.Metrics, c); err != nil {
		s.log.Warn("the metrics could not be left", "error", err.Error())
	}
	if err := otlp.Send(ctx, s.version, &last, c); err != nil {
		s.log.Warn("the collector was not told all of the run", "error", err.Error())
	}
}
