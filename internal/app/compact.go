package app

import (
	"context"
	"fmt"
	"io"

	"gleapsync/internal/config"
	"gleapsync/internal/human"
	"gleapsync/state"
)

type compactCmd struct{}

// Run writes the state file anew without its free pages.
func (c *compactCmd) Run(ctx context.Context, a *App) error {
	return a.locked(ctx, func(_ *config.Config, s *state.Store) error {
		before, after, err := state.Compact(s)
		if err != nil {
			return fmt.Errorf("compact the state: %w", err)
		}
		return a.print(map[string]int64{"bytes_before": before, "bytes": after}, func(w io.Writer) {
			fmt.Fprintf(w, "%s had %s bytes and has %s now.\n", human.Printable(s.Path()), human.Grouped(int(before)), human.Grouped(int(after)))
		})
	})
}
