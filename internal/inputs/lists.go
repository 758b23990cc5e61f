package inputs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"

	"gleapsync/internal/rowlist"
	"gleapsync/state"
)

// HasList reports whether a list can be made of the export's rows.
func (e *Input) HasList() bool {
	return e.delta.prints != nil || e.delta.taken != nil && e.delta.idle == ""
}

// MayLeaveList reports whether the export itself lets a list of its rows be left: all of it was
// read.
func (c *catalog) MayLeaveList(e *Input) bool {
	return e.HasList() && c.Request.Lists && e.Missing == "" && e.Result.Invalid == 0 && e.Result.Unknown == 0
}

// IsDelta reports whether only rows were read that differ from those applied last.
func (e *Input) IsDelta() bool { return e.delta.some != nil }

// KeptOf returns of how many contacts who do not differ the rows of a delta export say nothing of an
// attribute although they have it.
func (e *Input) KeptOf(id uint32) int { return e.delta.kept[id] }

// WriteList writes the list of the export's rows, which counts once the state says that the export
// is applied. A list that cannot be written is one less: the next run reads all. An error is one of
// the run. notes and all are what the merge found: of one contact, and of all that have some, or
// that the list must not have.
func (c *catalog) WriteList(ctx context.Context, e *Input, notes rowlist.NotesOf, all iter.Seq2[*rowlist.Row, error]) error {
	d := &e.delta
	if d.taken != nil {
		err, failed := d.taken.write(ctx, all)
		if failed == nil && err == nil {
			d.after = d.taken.id
		}
		return c.warnOfList(e, err, failed)
	}
	if d.some != nil && d.differ == 0 {
		d.after = d.before
		return nil
	}
	before := d.before
	if d.some == nil { // it was of no use
		before = ""
	}
	var err error
	d.trims, err = rowlist.Write(c.state, d.header, rowlist.NewRows(d.stream()), before, notes)
	if err != nil && !errors.As(err, new(rowlist.WriteError)) {
		return err
	}
	if err == nil {
		d.after = d.header.Name()
	}
	return c.warnOfList(e, err, nil)
}

// TrimLists writes those of some lists anew that need less now that their exports are delivered, and
// calls trimmed with the ids before and after. A list that cannot be written stays as it is.
func (c *catalog) TrimLists(store *state.Store, lists map[string]bool, trimmed func(before, after string)) error {
	var now *Basis
	for _, e := range c.All {
		d := &e.delta
		if !d.trims || !lists[d.after] {
			continue
		}
		if now == nil {
			var err error
			if now, err = unsettledNow(store); err != nil {
				return err
			}
		}
		after, err := rowlist.Trim(c.state, d.after, now.IsUnsettled)
		if err != nil {
			c.o.Log.Debug("the list of an export's rows stays larger than it has to be", "source", e.Source, "reason", err.Error())
			continue
		}
		trimmed(d.after, after)
	}
	return nil
}

// warnOfList says that there is no list; failed is an error of the run.
func (c *catalog) warnOfList(e *Input, err, failed error) error {
	if err != nil && failed == nil {
		c.o.Log.Warn("the list of an export's rows cannot be written, so all of it is read again when it changes", "source", e.Source, "reason", err.Error())
	}
	return failed
}

// RemoveLists removes the lists that the state does not refer to, also where databases keep them of
// some exports.
func RemoveLists(store *state.Store, exports []Export, log *slog.Logger) {
	overview, err := store.Overview()
	if err != nil {
		return
	}
	var keep []string
	for _, a := range overview.Attributes {
		if !a.Retired {
			keep = append(keep, a.Applied.List)
		}
	}
	rowlist.Remove(store.Path(), keep...)
	removeGenerations(exports, store.ID(), keep, log)
}

// SayAllOf reports whether some inputs say of all contacts that differ that they do, so that what
// the state has of others is of no use: these are delta exports, and there are no changes.
func (c *catalog) SayAllOf(some []*Input) bool {
	return !slices.ContainsFunc(some, func(e *Input) bool { return !e.IsDelta() }) && !slices.ContainsFunc(c.All, func(e *Input) bool { return e.Changes })
}

// DeltaNotes says of which exports the database was to compare the rows, and why it does not.
func (c *catalog) DeltaNotes() (notes []string) {
	for _, e := range c.All {
		if e.delta.idle != "" && e.Rows != nil {
			notes = append(notes, fmt.Sprintf("delta does nothing for %s, so that all rows are read: %s", e.Origin(), e.delta.idle))
		}
	}
	return notes
}
