package app

import (
	"context"
	"errors"
	"io"

	"gleapsync/internal/console"
	"gleapsync/internal/runs"
)

type planCmd struct {
	runFlags
	shownFlags
	changesFlags
	savedFlags
}

// sendsThese is what a run that goes on means for a plan.
const sendsThese = "what it sends meanwhile is in this plan too"

// Run shows what a sync would do.
func (c *planCmd) Run(ctx context.Context, a *App) error {
	if err := c.savedFlags.check(c); err != nil {
		return err
	}
	if c.Show != "" {
		return judge(c.showSaved(ctx, a))
	}
	if err := c.changesFlags.check(c.shownFlags); err != nil {
		return err
	}
	return a.each(ctx, c.alone(), console.OfPlan, c.one)
}

// alone names a flag that is for one project and was given, "" if none was.
func (c *planCmd) alone() string {
	switch {
	case c.Changes:
		return "--changes"
	case c.Save != "":
		return "--save"
	}
	return c.runFlags.alone()
}

func (c *planCmd) one(ctx context.Context, a *App) (runs.Report, error) {
	cfg, err := a.lookedAt(ctx)
	if err != nil {
		return runs.Report{}, err
	}
	runner, request, err := c.silent(a, cfg)
	if err != nil {
		return runs.Report{}, err
	}
	look := c.look(ctx, runner, request)
	if c.Changes {
		report, err := c.showChanges(ctx, a, cfg, look, c.Held)
		if err == nil {
			err = a.tellRunning(sendsThese)
		}
		return report, judge(report, err)
	}
	var report runs.Report
	if c.Save != "" {
		report, err = look(nil, nil)
	} else {
		report, err = runner.Plan(ctx, request)
	}
	if err != nil {
		return report, err
	}
	err = a.print(report, func(w io.Writer) {
		screen := a.screen(w)
		console.Plan(screen, report, c.shown(), cfg.Sync.Rate, cfg.Sync.Window)
		c.saved(w, screen.Config, len(cfg.Sync.Tracks) > 0)
	})
	return report, judge(report, errors.Join(err, a.tellRunning(sendsThese)))
}
