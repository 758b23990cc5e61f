package app

import (
	"fmt"
	"io"

	"gleapsync/internal/console"
	"gleapsync/state"
)

// locked runs fn with the state while no other run may.
func (a *App) locked(fn func(*state.Store) error) error {
	_, store, err := a.load()
	if err != nil {
		return err
	}
	release, err := store.Lock()
	if err != nil {
		return err
	}
	defer release()
	return fn(store)
}

// Retry unparks contacts and their events, or all of them, so that the next run tries
// them again.
func (a *App) Retry(userIDs []string) error {
	return a.locked(func(s *state.Store) error {
		contacts, events, err := s.Unpark(userIDs...)
		if err != nil {
			return err
		}
		return a.print(map[string]int{"unparked": contacts, "events": events}, func(w io.Writer) { console.Unparked(w, contacts, events) })
	})
}

// Discard removes events that are due or parked, so that they are never sent.
func (a *App) Discard(parkedOnly bool, userIDs []string) error {
	return a.locked(func(s *state.Store) error {
		n, err := s.Discard(parkedOnly, userIDs...)
		if err != nil {
			return err
		}
		return a.print(map[string]int{"discarded": n}, func(w io.Writer) { console.Discarded(w, n) })
	})
}

// Verify reads the whole state file.
func (a *App) Verify() error {
	return a.locked(func(s *state.Store) error {
		v, err := s.Verify()
		if err != nil {
			return err
		}
		return a.print(v, func(w io.Writer) { console.Verified(w, s.Path(), v) })
	})
}

// Backup copies the state file, also while a run is going on.
func (a *App) Backup(path string) error {
	_, store, err := a.load()
	if err != nil {
		return err
	}
	if err := store.Backup(path); err != nil {
		return fmt.Errorf("back up the state: %w", err)
	}
	return a.print(map[string]string{"backup": path}, func(w io.Writer) {
		fmt.Fprintf(w, "The state is in %s now.\n", console.Printable(path))
	})
}

// Restore replaces the state file by a backup.
func (a *App) Restore(path string, withoutForgotten bool) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	store := state.Replace(cfg.State)
	release, err := store.Lock()
	if err != nil {
		return err
	}
	defer release()
	v, err := store.Restore(path, withoutForgotten)
	if err != nil {
		return fmt.Errorf("restore the state: %w", err)
	}
	if err := store.ScrubFormer(); err != nil {
		a.log.Warn("the former file has to go once it is not needed", "reason", err.Error())
	}
	return a.print(v, func(w io.Writer) {
		console.Verified(w, store.Path(), v)
		fmt.Fprintf(w, "A file that was there before is kept as %s.\n", console.Printable(store.Path()+state.FormerSuffix))
	})
}

// Compact writes the state file anew without its free pages.
func (a *App) Compact() error {
	return a.locked(func(s *state.Store) error {
		before, after, err := s.Compact()
		if err != nil {
			return fmt.Errorf("compact the state: %w", err)
		}
		return a.print(map[string]int64{"bytes_before": before, "bytes": after}, func(w io.Writer) {
			console.Compacted(w, s.Path(), before, after)
		})
	})
}
