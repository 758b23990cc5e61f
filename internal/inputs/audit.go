package inputs

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/done"
	"gleapsync/internal/guard"
	"gleapsync/internal/runs"
	"gleapsync/internal/schedule"
	"gleapsync/state"
)

// Changes that were never written, or came too late, nobody can read. So rows with a cursor are
// compared with a snapshot of the same attributes now and then: what differs is counted, and what
// the snapshot says takes its place. A change that is younger than the lag is not compared, since the
// snapshot may not have it yet; and who is not in the snapshot stays as he is.

// Audit says when changes are compared with a snapshot, which has their columns.
type Audit struct {
	Snapshot engage.Export
	Schedule schedule.Schedule
}

// audit is that of an export of changes in a run.
type audit struct {
	last    done.Position // of the audit before
	due     bool
	settled int64              // the time up to which changes are compared, in nanoseconds since 1970
	of      []engage.Attribute // that the snapshot has
	result  engage.Result
	refused error // why the snapshot cannot be used
	source  string
}

// findAudit decides whether the run is to compare.
func (x *changes) findAudit() {
	if x.Audit == nil {
		return
	}
	x.audit.last, x.audit.source = done.Find(x.DoneFiles, x.Audit.Snapshot), "audit with "+cmp.Or(x.Audit.Snapshot.Table, "a query of "+x.Audit.Snapshot.Source)
	// Without one before, the position says how long it can be read: the first run reads all.
	last := x.audit.last.Since(0)
	x.audit.due = !last.IsZero() && !x.Audit.Schedule.Next(last).After(x.At)
}

// readAudit adds what the snapshot says to the rows of changes, behind these. An error is one of the
// run.
func (x *changes) readAudit(ctx context.Context) error {
	a := &x.audit
	if !a.due {
		return nil
	}
	a.settled = x.rowsUpTo.Since(x.Lag).UnixNano()
	var row []byte
	var failed error
	none := make([]attr.Value, len(x.Fields))
	settings := x.Configured[x.Index] // without what was found meanwhile
	choose := func(columns []string) []engage.Attribute {
		a.of = slices.Concat(settings.Attributes, settings.TakeColumns(columns))
		for i := range a.of {
			a.of[i].Known = x.Known[a.of[i].Key]
		}
		return a.of
	}
	source, err := x.Audit.Snapshot.Open(ctx)
	if err == nil {
		a.result, err = source.ReadChosen(ctx, choose, func(userID []byte, cells []attr.Value) error {
			for i, value := range cells {
				if value.Kind() == attr.None || value.Kind() == attr.Null {
					continue
				}
				if row = row[:0]; x.Request.Traces {
					row = appendLine(row, source.Line())
				}
				row = binary.AppendUvarint(row, uint64(len(x.computations)+i+1))
				row = binary.BigEndian.AppendUint64(row, uint64(a.settled))
				row = binary.BigEndian.AppendUint64(row, 0)
				row = attr.AppendCells(value.Append(row), none)
				if failed = x.Rows.Add(userID, row); failed != nil {
					return failed
				}
			}
			return nil
		})
	}
	switch {
	case failed != nil:
		return failed
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		err = a.check(x.o.MaxInvalid)
	}
	a.refused = err
	return nil
}

// check returns why the snapshot cannot be believed.
func (a *audit) check(limit guard.Limit) error {
	for i, r := range a.result.Attributes {
		if r.Err != nil {
			return fmt.Errorf("%s: %w", a.of[i].Key, r.Err)
		}
		if reason := guard.CheckInvalid(a.result.Invalid+r.Invalid, a.result.Rows, limit); reason != "" {
			return errors.New(reason)
		}
	}
	if a.result.Rows == 0 {
		return errors.New("it has no rows")
	}
	return nil
}

// judgeAudit finds the attributes that the snapshot has.
func (x *changes) judgeAudit() {
	for i, settings := range x.audit.of {
		a := x.byKey(settings.Key)
		if a != nil && (a.Input != x.Input || x.audit.refused != nil) {
			a = nil
		}
		if a != nil {
			fits := x.fits[a]
			fits.Add(x.audit.result.Attributes[i].Fits)
			x.fits[a] = fits
		}
		x.of = append(x.of, a)
	}
	if x.audit.refused != nil {
		x.Unusable = append(x.Unusable, runs.ExportReport{
			Key: x.audit.source, Name: x.audit.source, Kind: engage.Audience, Source: x.audit.source, Status: runs.StatusHeld,
			Reason: "the changes go on without it, and the next run tries again: " + x.audit.refused.Error(),
		})
	}
}

// audited is what a snapshot says of an attribute of a contact.
type audited struct {
	*Attribute
	settled int64
	value   attr.Value
}

// compare takes in what the snapshot says of the contact. Of an attribute of which no change said
// anything the record tells what is known: most users are in no audience, and nothing is stored of
// that.
func (w *Wanted) compare(record *state.Record) {
	for _, a := range w.audited {
		i := slices.IndexFunc(w.changed.Attributes, func(n state.Newest) bool { return n.ID == a.ID })
		if i < 0 {
			known := record.Find(a.ID).Value
			if differs := a.MemberCount(a.value)+a.MemberCount(known) > 0 && !known.Equal(a.value) && !a.AsType(known).Equal(a.value); differs {
				w.changed.Add(a.ID, a.settled, 0, a.value)
				w.mended[a.ID]++
			}
			continue
		}
		n := &w.changed.Attributes[i]
		if n.At > a.settled || n.Value.Equal(a.value) || a.AsType(n.Value).Equal(a.value) {
			continue
		}
		n.Value, n.At = a.value, n.At+1
		w.mended[a.ID]++
	}
}

// auditAfter returns what the list of done files is to have of the audit, after a run that counted
// or not.
func (x *changes) auditAfter(isDone bool) []state.DoneFile {
	switch a := &x.audit; {
	case x.Audit == nil:
		return nil
	case isDone && a.refused == nil && (a.due || a.last.Since(0).IsZero()):
		return a.last.After(x.At, x.At).Entries()
	default:
		return done.Find(x.DoneFiles, x.Audit.Snapshot).Mine(x.DoneFiles)
	}
}
