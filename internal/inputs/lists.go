package inputs

import (
	"errors"
	"slices"

	"gleapsync/internal/rowlist"
	"gleapsync/state"
)

// HasList reports whether a list can be made of the export's rows.
func (e *Input) HasList() bool { return e.delta.prints != nil }

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
// the run.
func (c *catalog) WriteList(e *Input, notes rowlist.NotesOf) error {
	d := &e.delta
	if d.some != nil && d.differ == 0 {
		d.after = d.before
		return nil
	}
	before := d.before
	if d.some == nil { // it was of no use
		before = ""
	}
	err := rowlist.Write(c.state, d.header, rowlist.NewRows(d.stream()), before, notes)
	if err != nil && !errors.As(err, new(rowlist.WriteError)) {
		return err
	}
	if err != nil {
		c.o.Log.Warn("the list of an export's rows cannot be written, so all of it is read again when it changes", "source", e.Source, "reason", err.Error())
		return nil
	}
	d.after = d.header.Name()
	return nil
}

// RemoveLists removes the lists that the state does not refer to.
func RemoveLists(store *state.Store) {
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
}

// SayAllOf reports whether some inputs say of all contacts that differ that they do, so that what
// the state has of others is of no use: these are delta exports, and there are no changes.
func (c *catalog) SayAllOf(some []*Input) bool {
	return !slices.ContainsFunc(some, func(e *Input) bool { return !e.IsDelta() }) && !slices.ContainsFunc(c.All, func(e *Input) bool { return e.Changes })
}
