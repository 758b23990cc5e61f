package app

import (
	"context"
	"io"

	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/runs"
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
	cfg, err := a.config()
	if err != nil {
		return err
	}
	cfg, ctx, end, err := a.hold(ctx, cfg, false)
	if err != nil {
		return err
	}
	report, err := c.baseline(ctx, a, cfg)
	return judge(report, a.printRun(report, console.Shown{}, nil, end(err)))
}

func (c *baselineCmd) baseline(ctx context.Context, a *App, cfg *config.Config) (runs.Report, error) {
	runner, request, err := runFlags{Only: c.Only}.silent(a, cfg)
	if err != nil {
		return runs.Report{}, err
	}
	return runner.Baseline(ctx, request)
}
