package app

import (
	"context"

	"gleapsync/internal/runs"
)

type baselineCmd struct {
	Only []string `help:"Look at this audience or trait only, or at those whose keys match; may be repeated." placeholder:"KEY|PATTERN"`
}

// Run takes the exports as delivered.
func (c *baselineCmd) Run(ctx context.Context, a *App) error { return judge(c.run(ctx, a)) }

func (c *baselineCmd) run(ctx context.Context, a *App) (runs.Report, error) {
	_, runner, request, err := a.silent(runFlags{Only: c.Only})
	if err != nil {
		return runs.Report{}, err
	}
	report, err := runner.Baseline(ctx, request)
	return report, a.printRun(report, nil, err)
}
