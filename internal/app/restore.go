package app

import (
	"fmt"
	"io"

	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/state"
)

type restoreCmd struct {
	Path             string `arg:"" help:"The backup."`
	WithoutForgotten bool   `help:"Restore although the list of forgotten contacts in the present state cannot be read."`
	confirmFlags
}

// Run replaces the state file by a backup.
func (c *restoreCmd) Run(a *App) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if err := c.confirm(a, fmt.Sprintf("Replace the state %s by %s?", human.Printable(cfg.State.Path), human.Printable(c.Path))); err != nil {
		return err
	}
	store := state.Replace(cfg.State)
	release, err := store.Lock()
	if err != nil {
		return err
	}
	defer release()
	v, err := state.Restore(store, c.Path, c.WithoutForgotten)
	if err != nil {
		return fmt.Errorf("restore the state: %w", err)
	}
	if err := state.ScrubFormer(store); err != nil {
		a.log.Warn("the former file has to go once it is not needed", "reason", err.Error())
	}
	return a.print(v, func(w io.Writer) {
		console.Verified(w, store.Path(), v)
		fmt.Fprintf(w, "A file that was there before is kept as %s.\n", human.Printable(store.Path()+state.FormerSuffix))
	})
}
