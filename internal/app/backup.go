package app

import (
	"context"
	"fmt"
	"io"

	"gleapsync/internal/human"
	"gleapsync/state"
)

type backupCmd struct {
	Path string `arg:"" help:"The copy, which must not exist yet."`
}

// Run copies the state file, also while a run is going on.
func (c *backupCmd) Run(ctx context.Context, a *App) error {
	_, store, err := a.load(ctx)
	if err != nil {
		return err
	}
	if err := state.Backup(store, c.Path); err != nil {
		return fmt.Errorf("back up the state: %w", err)
	}
	return a.print(map[string]string{"backup": c.Path}, func(w io.Writer) {
		fmt.Fprintf(w, "The state is in %s now.\n", human.Printable(c.Path))
	})
}
