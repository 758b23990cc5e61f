package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

type restoreCmd struct {
	Path             string `arg:"" help:"The backup."`
	WithoutForgotten bool   `help:"Restore although the list of forgotten contacts in the present state cannot be read."`
	confirmFlags
	dryFlags
}

// Run replaces the state file by a backup.
func (c *restoreCmd) Run(a *App) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if _, err := os.Stat(c.Path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no backup at %s", human.Printable(c.Path))
	}
	if c.DryRun {
		return c.rehearse(a, cfg.State)
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
	var v state.Verification
	if err := a.change(store, cfg.Sync.Project, "restore", func(s *state.Store) (t runs.Touched, err error) {
		if v, err = state.Restore(s, c.Path, c.WithoutForgotten); err != nil {
			return t, fmt.Errorf("restore the state: %w", err)
		}
		return runs.Touched{Contacts: v.Contacts}, nil
	}); err != nil {
		return err
	}
	if err := state.ScrubFormer(store); err != nil {
		a.log.Warn("the former file has to go once it is not needed", "reason", err.Error())
	}
	return a.print(v, func(w io.Writer) {
		console.Verified(w, store.Path(), v)
		fmt.Fprintf(w, "A file that was there before is kept as %s.\n", human.Printable(store.Path()+state.FormerSuffix))
	})
}

// rehearse says what a restore would put in the place of what.
func (c *restoreCmd) rehearse(a *App, o state.Options) error {
	backup, err := state.Open(state.Options{Path: c.Path, Project: o.Project, MustExist: true})
	if err != nil {
		return err
	}
	v, err := state.Verify(backup)
	if err != nil {
		return err
	}
	return a.print(v, func(w io.Writer) {
		console.Verified(w, c.Path, v)
		fmt.Fprintf(w, "Nothing was done. It would become %s; a file that is there would be kept as %s.\n", human.Printable(o.Path), human.Printable(o.Path+state.FormerSuffix))
	})
}
