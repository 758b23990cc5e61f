package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

type resendCmd struct {
	idFlags
	dryFlags
}

// mostResent bounds what the state keeps for it.
const mostResent = 10_000

// Run has the next run send all values of contacts again.
func (c *resendCmd) Run(ctx context.Context, a *App) error {
	ids, err := c.ids()
	if err != nil {
		return err
	}
	if len(ids) > mostResent {
		return fmt.Errorf("resend takes %s contacts at most: run gleapsync sync --full to send all of them again", human.Grouped(mostResent))
	}
	var unknown []string
	said := "The next run sends"
	if c.DryRun {
		said = "Nothing was done. The next run would send"
		_, store, err := a.load(ctx)
		if err != nil {
			return err
		}
		if unknown, err = state.Resendable(store, ids); err != nil {
			return err
		}
	} else if err := a.changes(ctx, "resend", func(s *state.Store) (t runs.Touched, err error) {
		if unknown, err = state.Resend(s, ids); err != nil {
			return t, err
		}
		return runs.Touched{Contacts: len(ids) - len(unknown)}, nil
	}); err != nil {
		return err
	}
	again := len(ids) - len(unknown)
	told := map[string]any{"resend": again, "unknown": append([]string{}, unknown...)}
	if c.DryRun {
		told["dry_run"] = true
	}
	if err := a.print(told, func(w io.Writer) {
		fmt.Fprintf(w, "%s all values of %s again.\n", said, human.Count(again, "contact"))
		for _, id := range unknown {
			fmt.Fprintf(w, "Not known here: %s\n", human.Printable(id))
		}
	}); err != nil || len(unknown) == 0 {
		return err
	}
	return errors.New("some contacts are not known here: Gleap was never told anything of them")
}
