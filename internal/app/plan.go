package app

import (
	"context"
	"io"

	"gleapsync/internal/console"
)

type planCmd struct {
	runFlags
	shownFlags
}

// Run shows what a sync would do.
func (c *planCmd) Run(ctx context.Context, a *App) error {
	cfg, runner, request, err := a.silent(c.runFlags)
	if err != nil {
		return err
	}
	report, err := runner.Plan(ctx, request)
	if err != nil {
		return err
	}
	return judge(report, a.print(report, func(w io.Writer) { console.Plan(a.screen(w), report, c.shown(), cfg.Sync.Rate, cfg.Sync.Window) }))
}
