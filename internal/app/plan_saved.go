package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/internal/savedplan"
	"gleapsync/sync"
)

// savedFlags are those of plans in files.
type savedFlags struct {
	Save string `help:"Write the plan to this new file: sync --plan sends what it has. It holds personal data." placeholder:"FILE" xor:"file"`
	Show string `help:"Show what a file has that --save wrote, as --changes does." placeholder:"FILE" xor:"file"`
}

// check checks that the other flags go with them.
func (f savedFlags) check(c *planCmd) error {
	switch {
	case f.Save != "" && c.Changes && c.Held:
		return &UsageError{errors.New("--changes --held shows whom no run sends, and --save writes whom it sends: give one of them")}
	case f.Save != "" && c.Full && len(c.Only) > 0:
		return &UsageError{errors.New("--full with --only cannot be saved, since nobody could tell later what of it is left: save it with one of them")}
	case f.Show != "" && (c.runFlags.alone() != "" || c.All || c.Held || c.Sort != ""):
		return &UsageError{errors.New("--show shows what the file has: only --contact, --class and --limit choose of that")}
	case f.Show != "" && c.Limit != nil && *c.Limit < 0:
		return errLimit
	}
	return nil
}

// saved says, behind a plan, where it is. config is that of [console.Out]; tracks says that there are event exports.
func (f savedFlags) saved(w io.Writer, config string, tracks bool) {
	if f.Save == "" {
		return
	}
	path := human.Printable(f.Save)
	fmt.Fprintf(w, "The plan is in %s. It holds user ids, values and contact fields: personal data.\n", path)
	if tracks {
		fmt.Fprintln(w, "Event exports are no part of it: the next sync reads them.")
	}
	fmt.Fprintln(w, human.Commands("To send it: gleapsync sync --plan "+human.Printable(human.Argument(f.Save)), config))
}

// showSaved shows what a saved plan has.
func (c *planCmd) showSaved(ctx context.Context, a *App) (runs.Report, error) {
	cfg, err := a.config()
	if err != nil {
		return runs.Report{}, err
	}
	saved, err := savedplan.Read(c.Show)
	if err != nil {
		return runs.Report{}, err
	}
	defer saved.Close()
	return c.showChanges(ctx, a, cfg, func(_ func(runs.Report, map[string]int) error, yield func(*sync.PlannedContact) error) (runs.Report, error) {
		return sync.ShowSaved(ctx, saved, cfg.Sync.TempDir, yield)
	}, false)
}
