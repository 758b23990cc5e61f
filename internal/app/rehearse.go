package app

import (
	"errors"
	"fmt"
	"io"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/human"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/internal/tempdir"
	"gleapsync/state"
	"gleapsync/sync"
)

// rehearsalSpeed is how many times faster than the real one a rehearsal's rate limit is.
const rehearsalSpeed = 100

// rehearsals is what the folders begin with in which rehearsals have their state.
const rehearsals = "gleapsync-rehearsal-"

// rehearse carries a sync out with a sandbox and a copy of the state: neither Gleap nor anybody else
// hears of it.
func (c *syncCmd) rehearse(a *App, cfg *config.Config, request inputs.Request, run func(*sync.Runner) (runs.Report, error)) (report runs.Report, err error) {
	dir, err := tempdir.New(cfg.Sync.TempDir, rehearsals)
	if err != nil {
		return report, fmt.Errorf("copy the state for a rehearsal (sync.temp_dir): %w", err)
	}
	defer dir.Remove()
	store, err := openForRun(cfg, nil)
	if err != nil {
		return report, err
	}
	stage := *cfg
	// Which Gleap is told, sync.Gleap, stays: the copy is about that one.
	stage.Sandbox, stage.Sync.Deadline, stage.Sync.Deliveries = true, 0, deliveries.Place{}
	stage.State.Path, stage.State.MustExist = dir.Join("state.db"), false
	stage.Gleap.Window /= rehearsalSpeed
	if store.Exists() {
		if err := state.Backup(store, stage.State.Path); err != nil {
			return report, fmt.Errorf("copy the state for a rehearsal (sync.temp_dir): %w", err)
		}
	}
	if store, err = openForRun(&stage, nil); err != nil {
		return report, err
	}
	report, embedded, err := a.call(&stage, store, request.TellsAll(), a.watch(), run)
	if report.Run == "" || embedded == nil {
		return report, err
	}
	requests := embedded.Counts().Requests
	report.Estimate = 0
	if cfg.Gleap.Rate > 0 {
		report.Estimate = int((time.Duration(requests)*cfg.Gleap.Window/time.Duration(cfg.Gleap.Rate) + time.Second - 1) / time.Second)
	}
	err = a.printRun(report, c.shown(), embedded, err)
	if !a.asJSON() {
		_, printErr := io.WriteString(a.out, rehearsed(cfg, requests, report))
		err = errors.Join(err, printErr)
	}
	return report, err
}

// rehearsed says what a rehearsal was.
func rehearsed(cfg *config.Config, requests int, r runs.Report) string {
	text := fmt.Sprintf("\nThat was a rehearsal: Gleap heard nothing, and the state is as it was. %s, %s of them refused for the rate limit", human.Count(requests, "request"), human.Grouped(r.Calls.RateLimited))
	if cfg.Gleap.Rate > 0 {
		text += fmt.Sprintf("; with Gleap, at %s calls in %s, they take about %s", human.Grouped(cfg.Gleap.Rate), human.About(cfg.Gleap.Window), human.About(time.Duration(r.Estimate)*time.Second))
	}
	return text + ".\n"
}
