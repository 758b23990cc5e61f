package app

import (
	"context"
	"io"

	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

type baselineCmd struct {
	Only []string `help:"Look at this audience or trait only, or at those whose keys match; may be repeated." placeholder:"KEY|PATTERN"`
	confirmFlags
	dryFlags
}

// Run takes the exports as delivered.
func (c *baselineCmd) Run(ctx context.Context, a *App) error {
	if c.DryRun {
		cfg, err := a.lookedAt(ctx)
		if err != nil {
			return err
		}
		runner, request, err := runFlags{Only: c.Only}.silent(a, cfg)
		if err != nil {
			return err
		}
		report, err := runner.PlanBaseline(ctx, request)
		if err != nil {
			return err
		}
		return judge(report, a.print(report, func(w io.Writer) { console.PlanBaseline(a.screen(w), report) }))
	}
	if err := c.confirm(a, "Take what the exports say as delivered, without telling Gleap?"); err != nil {
		return err
	}
	var report runs.Report
	err := a.held(ctx, func(ctx context.Context, cfg *config.Config, _ *state.Store) error {
		runner, request, err := runFlags{Only: c.Only}.silent(a, cfg)
		if err == nil {
			report, err = runner.Baseline(ctx, request)
		}
		return err
	})
	return judge(report, a.printRun(report, console.Shown{}, nil, err))
}
