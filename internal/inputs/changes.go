package inputs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/done"
	"gleapsync/internal/guard"
	"gleapsync/internal/values"
	"gleapsync/state"
)

// A change export says what happened, not what is. Its files are read once. What they said
// last of each contact and attribute is kept in the state, and the plan compares that with
// the records as it does with a snapshot. So a change that was read is never lost, and an
// older one that comes later does not count.
type changes struct {
	*Inputs
	*Input
	done         []state.DoneFile     // all files that are there, once the new ones are done too
	computations []engage.Computation // that were read
	of           []*Attribute         // for each of them; nil: it does not count
	fits         map[*Attribute]values.Fits
	mismatches   map[string]string // see [engage.ChangesResult]
	missing      map[string]error  // the same
	rowsUpTo     done.Position     // of rows with a cursor, instead of done
	audit        audit
}

func newChanges(r *Inputs, e *Input) *changes {
	e.late, e.ageless = true, true // an older file that comes late is no older export
	return &changes{Inputs: r, Input: e, fits: map[*Attribute]values.Fits{}}
}

// find implements [kind].
func (x *changes) find(ctx context.Context) error {
	if x.Cursor != "" {
		x.rowsUpTo = done.Find(x.DoneFiles, x.Configured[x.Index].Export)
		x.Since = x.rowsUpTo.Since(x.Lag)
		x.findAudit()
	}
	x.open(ctx, x.Input)
	return nil
}

// name implements [kind]. It adds the attributes that the export had before, and leaves out
// the files that were done then.
func (x *changes) name() {
	var before []engage.Attribute
	for _, k := range x.Overview.Attributes {
		a, ok := x.TakeComputation(k.Name, engage.Kind(k.Kind))
		if ok && a.Name == k.Name && k.Computation != nil && !k.Gone() && !k.Retired && string(a.Kind) == k.Kind && x.byKey(k.Key) == nil && a.Key == k.Key {
			before = append(before, a)
		}
	}
	x.addTaken(x.Input, before)
	if x.openErr != nil {
		x.refuse(x.openErr)
		return
	}
	// The attributes that were found meanwhile do not matter for how a file is read.
	hash := sha256.Sum256(fmt.Appendf(nil, "%s %v", x.Configured[x.Index].Settings(), x.o.Fields))
	settings := hex.EncodeToString(hash[:8])
	_, x.fingerprint = x.print(x.Attributes, x.o.Fields) // files that are done are known by size and time
	var err error
	if x.Cursor != "" {
		x.pending = true
		return
	}
	x.done, err = done.Take(x.DoneFiles, x.source, x.Source, settings, func(f state.DoneFile) bool { return f.Source == x.Source && f.Settings == settings })
	x.countParts()
	x.pending = len(x.source.Files()) > 0
	if err != nil {
		x.refuse(fmt.Errorf("%w, or rename the file to have all of it read again", err))
	}
}

// read implements [kind].
func (x *changes) read(ctx context.Context) error {
	x.Rows = x.newRows()
	x.expectEnd(x.Input, x.Attributes)
	var row []byte
	var failed error // of the sorter
	result, err := x.source.ReadChanges(ctx, func(c *engage.Change) error {
		if row = row[:0]; x.Request.Traces {
			row = appendLine(row, c.Line)
		}
		row = appendChange(row, c)
		x.Result.Rows++
		x.saw(x.Result.Rows)
		failed = x.Rows.Add(c.UserID, row)
		return failed
	})
	x.rowsUpTo = x.rowsUpTo.After(result.Newest, x.At)
	x.columns, x.missing = result.Columns, result.Missing
	x.Result, x.computations, x.passedOver, x.mismatches, x.unused = result.Result, result.Computations, result.PassedOver, result.Mismatched, result.Unused
	for _, class := range slices.Sorted(maps.Keys(x.passedOver)) {
		x.o.Log.Info("rows of a class were passed over", "source", x.Source, "class", class, "rows", x.passedOver[class])
	}
	if failed != nil || ctx.Err() != nil {
		return cmp.Or(failed, ctx.Err())
	}
	if reason := guard.CheckInvalid(x.Result.Invalid, x.Result.Rows, x.o.MaxInvalid); err == nil && reason != "" {
		err = errors.New(reason)
	}
	if err != nil {
		x.refuse(err)
		x.drop()
		return nil
	}
	if err := x.readAudit(ctx); err != nil {
		return err
	}
	return x.Rows.Finish()
}

// appendChange appends a change as sorters keep it.
func appendChange(dst []byte, c *engage.Change) []byte {
	dst = binary.AppendUvarint(dst, uint64(c.Computation+1))
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.At))
	dst = binary.BigEndian.AppendUint64(dst, c.Message)
	dst = c.Value.Append(dst)
	return attr.AppendCells(dst, c.Fields)
}

// filesAfter implements [kind]. Files are done if all that they say is acknowledged, or parked.
func (x *changes) filesAfter(isDone bool) []state.DoneFile {
	switch {
	case x.Cursor == "":
	case isDone:
		return append(x.rowsUpTo.Entries(), x.auditAfter(true)...)
	default:
		return append(done.Find(x.DoneFiles, x.Configured[x.Index].Export).Mine(x.DoneFiles), x.auditAfter(false)...)
	}
	if isDone {
		return x.done
	}
	return slices.DeleteFunc(slices.Clone(x.DoneFiles), func(f state.DoneFile) bool { return f.Source != x.Source })
}

// bringsBack implements [kind].
func (x *changes) bringsBack(ctx context.Context, key, name string, kind engage.Kind) error {
	if a, ok := x.TakeComputation(name, kind); ok && a.Key == key {
		return fmt.Errorf("the changes of %s bring %s back with the next sync: name it in exclude first", x.Source, name)
	}
	return x.patternTakes(ctx, key, name)
}
