package app

import (
	"context"
	"io"

	"gleapsync/internal/config"
	"gleapsync/internal/console"
	"gleapsync/internal/inputs"
	"gleapsync/state"
)

type verifyCmd struct{}

// Run reads the whole state file.
func (c *verifyCmd) Run(ctx context.Context, a *App) error {
	return a.locked(ctx, func(_ *config.Config, s *state.Store) error {
		v, err := state.Verify(s)
		if err != nil {
			return err
		}
		if err := inputs.VerifyLists(s); err != nil {
			return err
		}
		return a.print(v, func(w io.Writer) { console.Verified(w, s.Path(), v) })
	})
}
