package app

import (
	"context"

	"gleapsync/internal/console"
	"gleapsync/internal/runs"
	"gleapsync/sync"
)

type retireCmd struct {
	Key string `arg:"" name:"former-key" help:"Key of an audience or trait that the configuration does not have any more."`
}

// Run tells an attribute's members that they are none any more, and forgets it.
func (c *retireCmd) Run(ctx context.Context, a *App) error {
	cfg, store, err := a.load()
	if err != nil {
		return err
	}
	report, embedded, err := a.call(cfg, store, a.watch(), func(runner *sync.Runner) (runs.Report, error) { return runner.Retire(ctx, c.Key) })
	return judge(report, a.printRun(report, console.Shown{}, embedded, err))
}
