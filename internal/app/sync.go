package app

import (
	"context"
	"errors"
	"time"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/config"
	"gleapsync/internal/metrics"
	"gleapsync/internal/notify"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// sync carries out one sync, tells those who want to know, and leaves its metrics. Of a
// sync that could not begin the report has the outcome and the error only, and no run id.
func (a *App) sync(ctx context.Context, cfg *config.Config, r sync.Request, watch func(sync.Progress)) (runs.Report, *sandbox.Sandbox, error) {
	started := time.Now().UTC()
	var o notify.Options
	if len(r.Only) == 0 { // else the exports that were not looked at would seem to be well
		o = cfg.Notify
	}
	notifier := notify.New(o, a.log)
	notifier.Started(ctx)
	defer notifier.Wait()
	before := a.lastSync(cfg)
	report, embedded, err := a.trySync(ctx, cfg, r, watch)
	if errors.As(err, new(*state.LockedError)) {
		return report, embedded, err // the other run says how it ends
	}
	told := report
	if told.Outcome == "" {
		told = runs.Report{Command: "sync", Project: cfg.Sync.Project, Started: started, Finished: time.Now().UTC(), Outcome: runs.Failed}
	}
	if told.Outcome == runs.Failed && told.Error == "" {
		told.Error = err.Error()
	}
	if len(r.Only) == 0 {
		a.last = told
	}
	a.publish(context.WithoutCancel(ctx), cfg, told)
	notifier.Finished(ctx, before, told)
	return told, embedded, err
}

// lastSync returns the report of the sync before, nil if there is none.
func (a *App) lastSync(cfg *config.Config) *runs.Report {
	var stored *runs.Report
	if v, err := viewOf(cfg); err == nil { // else the run says what is wrong with the state
		stored, _ = v.LastWholeSync()
	}
	// What could not begin, or not be recorded, only this process knows of.
	if last := a.last; last.Outcome != "" && !last.Recorded && (stored == nil || last.Finished.After(stored.Finished)) {
		return &last
	}
	return stored
}

func (a *App) trySync(ctx context.Context, cfg *config.Config, r sync.Request, watch func(sync.Progress)) (runs.Report, *sandbox.Sandbox, error) {
	store, err := a.open(cfg)
	if err != nil {
		return runs.Report{}, nil, err
	}
	return a.call(cfg, store, watch, func(runner *sync.Runner) (runs.Report, error) { return runner.Sync(ctx, r) })
}

// publish leaves the metrics of a sync where the configuration says. It never fails a run.
func (a *App) publish(ctx context.Context, cfg *config.Config, last runs.Report) {
	c := metrics.NewCollector(a.o.Version, func() metrics.Snapshot {
		v, err := viewOf(cfg)
		if err != nil {
			return metrics.Snapshot{Last: &last}
		}
		return metrics.Read(v, &last)
	})
	if err := metrics.Publish(ctx, cfg.Metrics, c); err != nil {
		a.log.Warn("the metrics could not be left", "error", err.Error())
	}
}
