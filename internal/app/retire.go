package app

import (
	"context"
	"fmt"
	"io"

	"gleapsync/engage"
	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

type retireCmd struct {
	Key string `arg:"" name:"former-key" help:"Key of an audience or trait that no export has any more."`
	confirmFlags
	dryFlags
}

// Run tells an attribute's members that they are none any more, and forgets it.
func (c *retireCmd) Run(ctx context.Context, a *App) error {
	if c.DryRun {
		cfg, err := a.lookedAt(ctx)
		if err != nil {
			return err
		}
		runner, _, err := runFlags{}.silent(a, cfg)
		if err != nil {
			return err
		}
		report, err := runner.PlanRetire(ctx, c.Key)
		if err != nil {
			return err
		}
		return judge(report, a.print(report, func(w io.Writer) {
			console.Plan(a.screen(w), report, console.Shown{}, cfg.Sync.Rate, cfg.Sync.Window)
		}))
	}
	return a.held(ctx, func(ctx context.Context, cfg *config.Config, store *state.Store) error {
		return c.retire(ctx, a, cfg, store)
	})
}

func (c *retireCmd) retire(ctx context.Context, a *App, cfg *config.Config, store *state.Store) error {
	o, err := store.Overview()
	if err != nil {
		return err
	}
	if known, err := o.Attribute(c.Key); err == nil {
		question := fmt.Sprintf("Tell %s that they left %s, and forget it?", human.Count(known.Members, "contact"), known.Key)
		if known.Kind == string(engage.Trait) {
			question = fmt.Sprintf("Take %s from %s, and forget it?", known.Key, human.Count(known.Members, "contact"))
		}
		if err := c.confirm(a, question); err != nil {
			return err
		}
	}
	report, embedded, err := a.call(cfg, store, false, a.watch(), func(runner *sync.Runner) (runs.Report, error) { return runner.Retire(ctx, c.Key) })
	return judge(report, a.printRun(report, console.Shown{}, embedded, err))
}
