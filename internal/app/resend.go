package app

import (
	"errors"
	"fmt"
	"io"

	"gleapsync/internal/human"
	"gleapsync/state"
)

type resendCmd struct{ idFlags }

// mostResent bounds what the state keeps for it.
const mostResent = 10_000

// Run has the next run send all values of contacts again.
func (c *resendCmd) Run(a *App) error {
	ids, err := c.ids()
	if err != nil {
		return err
	}
	if len(ids) > mostResent {
		return fmt.Errorf("resend takes %s contacts at most: run sync --full to send all of them again", human.Grouped(mostResent))
	}
	return a.locked(func(s *state.Store) error {
		unknown, err := state.Resend(s, ids)
		if err != nil {
			return err
		}
		again := len(ids) - len(unknown)
		if err := a.print(map[string]any{"resend": again, "unknown": append([]string{}, unknown...)}, func(w io.Writer) {
			fmt.Fprintf(w, "The next run sends all values of %s again.\n", human.Count(again, "contact"))
			for _, id := range unknown {
				fmt.Fprintf(w, "Not known here: %s\n", human.Printable(id))
			}
		}); err != nil || len(unknown) == 0 {
			return err
		}
		return errors.New("some contacts are not known here: Gleap was never told anything of them")
	})
}
