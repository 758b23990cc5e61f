package sync

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
)

// prepare makes a plan and the report that goes with it.
func (r planner) prepare(ctx context.Context, run, command string, request inputs.Request) (runs.Report, *plan, error) {
	started, begun := r.now(), time.Now()
	r.meter.Phase("reading", 0)
	p, err := r.plan(ctx, r.now(), request)
	report := p.report()
	report.Run, report.Command, report.Started, report.Only = run, command, started, request.Only
	report.PlanSeconds = secondsSince(begun)
	if err != nil {
		if ctx.Err() != nil { // a stop is not a fault of the exports
			err = context.Cause(ctx)
		}
		report = runs.Report{
			Run: report.Run, Command: command, Project: report.Project, Mode: report.Mode, Only: report.Only, Started: started, Exports: slices.DeleteFunc(report.Exports, func(e runs.ExportReport) bool { return e.Status != runs.StatusHeld }),
			PlanSeconds: report.PlanSeconds,
		}
		p.unpark = nil
		return report, p, err
	}
	for _, e := range report.Exports {
		for _, problem := range e.Problems {
			r.log.Debug("a row was passed over", "key", e.Key, "file", problem.File, "line", problem.Line, "reason", problem.Reason)
		}
	}
	r.warn(report)
	if command == "plan" {
		if report.Convergence, err = convergence(r.store, costliest(p), &report); err != nil {
			return report, p, err
		}
	}
	level := slog.LevelInfo
	if report.Calls.All() == 0 {
		level = slog.LevelDebug // cron mails each line
	}
	r.log.Log(ctx, level, "planned", "contacts", report.Contacts.Planned, "delta", report.Contacts.Delta,
		"backfill", report.Contacts.Backfill, "calls", report.Calls.All(), "events", report.Events.Planned, "estimate_seconds", report.Estimate)
	return report, p, nil
}

// warn logs what somebody should look at.
func (r planner) warn(report runs.Report) {
	if r.o.Shown {
		return
	}
	for _, c := range runs.Causes(report.Exports) {
		what := "an export is held"
		if c.Withheld {
			what = "exits are withheld"
		}
		r.log.Warn(what, "key", c.Keys(), "source", c.Source, "reason", c.Reason)
	}
	for _, note := range report.Notes {
		r.log.Warn("something to know", "note", note)
	}
}
