package app

import (
	"context"
	"io"

	"gleapsync/internal/console"
)

type baselineCmd struct {
	Only []string `help:"Look at this audience or trait only, or at those whose keys match; may be repeated." placeholder:"KEY|PATTERN"`
	confirmFlags
	dryFlags
}

// Run takes the exports as delivered.
func (c *baselineCmd) Run(ctx context.Context, a *App) error {
	if c.DryRun {
		_, runner, request, err := a.silent(runFlags{Only: c.Only}, true)
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
	_, runner, request, err := a.silent(runFlags{Only: c.Only}, true)
	if err != nil {
		return err
	}
	report, err := runner.Baseline(ctx, request)
	return judge(report, a.printRun(report, console.Shown{}, nil, err))
}
