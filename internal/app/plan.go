package app

import (
	"context"
	"io"

	"gleapsync/internal/console"
	"gleapsync/internal/runs"
)

type planCmd struct{ runFlags }

// Run shows what a sync would do.
func (c *planCmd) Run(ctx context.Context, a *App) error { return judge(c.run(ctx, a)) }

func (c *planCmd) run(ctx context.Context, a *App) (runs.Report, error) {
	cfg, runner, request, err := a.silent(c.runFlags)
	if err != nil {
		return runs.Report{}, err
	}
	report, err := runner.Plan(ctx, request)
	if err != nil {
		return report, err
	}
	return report, a.print(report, func(w io.Writer) { console.Plan(w, report, cfg.Sync.Rate, cfg.Sync.Window) })
}
