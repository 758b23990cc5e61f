package sync

import (
	"context"
	"fmt"

	"gleapsync/internal/extsort"
	"gleapsync/state"
)

// absorbAt bounds the memory for what is not stored yet.
const absorbAt = 20_000

// absorb stores what change exports said, before anything of it is sent.
func absorb(ctx context.Context, said []*extsort.Spool, store func([]state.Absorbed) error) error {
	var batch []state.Absorbed
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := store(batch)
		batch = batch[:0]
		if err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		return ctx.Err()
	}
	for _, s := range said {
		rows := s.Rows(0, s.Position())
		for userID, changed, ok := rows.Next(); ok; userID, changed, ok = rows.Next() {
			if batch = append(batch, state.Absorbed{UserID: userID, Said: changed}); len(batch) == absorbAt {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return flush()
}
