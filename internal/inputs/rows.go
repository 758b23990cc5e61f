package inputs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/guard"
)

// What the rows of an export tell as a whole, whatever each of its attributes looks like.

// isTable reports whether the export has columns of audiences and traits, as a warehouse's table.
func (e *Input) isTable() bool {
	return !e.NamesInRows() && (len(e.Wildcards) > 0 || slices.ContainsFunc(e.Attributes, func(a engage.Attribute) bool {
		return a.Kind == engage.Audience && a.Column != ""
	}))
}

// isEmpty reports whether the export is a table that was read and has no row at all.
func (e *Input) isEmpty() bool {
	return e.isTable() && e.Rows != nil && e.refused == nil && e.Result.Rows == 0
}

// checkLoaded returns an error if nothing was written to a database for longer than its export may
// be old: the time of a query says nothing of that.
func (e *Input) checkLoaded(ctx context.Context, now time.Time) error {
	newest, err := e.source.Loaded(ctx)
	if err != nil {
		return err
	}
	if reason := guard.CheckLoaded(newest, e.MaxAge, now); reason != "" {
		return fmt.Errorf("%s: %s", e.Origin(), reason)
	}
	return nil
}

// Empty names the tables without rows.
func (c *catalog) Empty() (names []string) {
	for _, e := range c.All {
		if e.isEmpty() && e.Usable() {
			names = append(names, e.Origin())
		}
	}
	return names
}

// Shrunk names the exports that lost rows.
func (c *catalog) Shrunk(minExits int) (notes []string) {
	for _, e := range c.All {
		before := 0
		for _, a := range e.Feeds {
			if a.Asked {
				before = max(before, a.Applied.Rows)
			}
		}
		if e.Rows == nil || e.refused != nil || e.NamesInRows() {
			continue
		}
		if note := guard.Shrunk(e.Origin(), before, e.Result.Rows, minExits); note != "" {
			notes = append(notes, note)
		}
	}
	return notes
}
