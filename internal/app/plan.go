package app

import (
	"context"
	"io"

	"gleapsync/internal/console"
)

type planCmd struct {
	runFlags
	shownFlags
	changesFlags
}

// Run shows what a sync would do.
func (c *planCmd) Run(ctx context.Context, a *App) error {
	if err := c.check(c.shownFlags); err != nil {
		return err
	}
	cfg, runner, request, err := a.silent(c.runFlags)
	if err != nil {
		return err
	}
	if c.Changes {
		return judge(a.showChanges(ctx, runner, request, c.changesFlags, c.Held))
	}
	report, err := runner.Plan(ctx, request)
	if err != nil {
		return err
	}
	return judge(report, a.print(report, func(w io.Writer) { console.Plan(a.screen(w), report, c.shown(), cfg.Sync.Rate, cfg.Sync.Window) }))
}
