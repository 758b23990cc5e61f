package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/human"
	"gleapsync/internal/replica"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

type restoreCmd struct {
	Path             string `arg:"" optional:"" help:"The backup."`
	From             string `help:"A snapshot of the replica instead, as inspect lists them." placeholder:"ID"`
	WithoutForgotten bool   `help:"Restore although the list of forgotten contacts in the present state cannot be read."`
	confirmFlags
	dryFlags
}

// Run replaces the state file by a backup.
func (c *restoreCmd) Run(ctx context.Context, a *App) error {
	if (c.Path == "") == (c.From == "") {
		return &UsageError{errors.New("name a backup, or with --from a snapshot of the replica")}
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	if c.From != "" && cfg.Replica == nil {
		return &UsageError{errors.New("--from is for a state with a replica: state.replica names none")}
	}
	if _, err := os.Stat(c.Path); c.From == "" && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no backup at %s", human.Printable(c.Path))
	}
	if c.DryRun && c.From == "" {
		return c.rehearse(a, cfg.State)
	}
	if !c.DryRun {
		if err := c.confirm(a, fmt.Sprintf("Replace the state %s by %s?", human.Printable(cfg.State.Path), human.Printable(c.Path+c.From))); err != nil {
			return err
		}
	}
	cfg, ctx, end, err := a.hold(ctx, cfg, true)
	if err != nil {
		return err
	}
	return end(c.restore(ctx, a, cfg))
}

func (c *restoreCmd) restore(ctx context.Context, a *App, cfg *config.Config) error {
	if c.From != "" {
		c.Path = cfg.State.Path + ".from"
		os.Remove(c.Path)
		defer os.Remove(c.Path)
		if _, err := cfg.Sync.Replica.(*replica.Held).Fetch(ctx, c.From, c.Path); err != nil {
			return err
		}
		if c.DryRun {
			return c.rehearse(a, cfg.State)
		}
	}
	if err := c.checkForgotten(cfg); err != nil {
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

// checkForgotten makes sure that the backup knows whom the replica's state has forgotten, if that
// cannot be had.
func (c *restoreCmd) checkForgotten(cfg *config.Config) error {
	held, ok := cfg.Sync.Replica.(*replica.Held)
	if !ok || c.WithoutForgotten {
		return nil
	}
	counts, missed := held.Missed()
	if missed == nil || counts != nil && counts.Forgotten == 0 {
		return nil
	}
	backup, _, err := state.OpenBackup(c.Path, cfg.Sync.Project)
	if err != nil {
		return err
	}
	if has := backup.Mark(); counts != nil && has != nil && has.ID == counts.ID && counts.Forgotten <= has.Forgotten { // a list only grows
		return nil
	}
	return fmt.Errorf("the list of forgotten contacts in the replica's state cannot be read (%w), so that contacts which were erased since the backup could be created again: put back what is missing, or restore with --without-forgotten and then run gleapsync forget with their ids", missed)
}

// rehearse says what a restore would put in the place of what.
func (c *restoreCmd) rehearse(a *App, o state.Options) error {
	_, v, err := state.OpenBackup(c.Path, o.Project)
	if err != nil {
		return err
	}
	return a.print(v, func(w io.Writer) {
		console.Verified(w, c.Path, v)
		fmt.Fprintf(w, "Nothing was done. It would become %s; a file that is there would be kept as %s.\n", human.Printable(o.Path), human.Printable(o.Path+state.FormerSuffix))
	})
}
