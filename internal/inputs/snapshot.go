package inputs

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/state"
)

// snapshot is an export of what is. Which attributes a table with patterns has only its header
// tells. What can be read only once is read as a whole then, and what cannot be an attribute
// is left out of its rows once all headers are known: two tables may have the same name.
type snapshot struct {
	*Inputs
	*Input
	early []engage.Attribute // what was read before all headers were known, nil: nothing
	cells []*Attribute       // that the cells of rows are of, nil: of none; if this is nil they are the attributes
}

// find implements [kind].
func (s *snapshot) find(ctx context.Context) error {
	if !s.open(ctx, s.Input) || len(s.Wildcards) == 0 || s.isAsBefore() || s.source.Once() && s.isTooOld() {
		return nil
	}
	if !s.source.Once() {
		s.columns, s.openErr = s.source.Header(ctx)
		return ctx.Err()
	}
	s.expectEnd(s.Input, s.wanted(nil))
	var failed error
	s.openErr, failed = s.sortRows(ctx, func(columns []string) []engage.Attribute {
		s.columns, s.early = columns, s.wanted(columns)
		return s.early
	})
	if s.openErr != nil {
		s.early = nil
	}
	return failed
}

// wanted returns all attributes that the export may have, given its columns.
func (s *snapshot) wanted(columns []string) []engage.Attribute {
	return slices.Concat(s.Attributes, s.taken(columns))
}

// taken returns the attributes for which the wildcards may stand: the columns that match, and
// those that matched before. Of these none may vanish without a word.
func (s *snapshot) taken(columns []string) []engage.Attribute {
	taken := s.TakeColumns(columns)
	for _, a := range s.remembered(&s.Export) {
		if !hasKey(taken, a.Key) {
			taken = append(taken, a)
		}
	}
	return taken
}

func hasKey(attributes []engage.Attribute, key string) bool {
	return slices.ContainsFunc(attributes, func(a engage.Attribute) bool { return a.Key == key })
}

// isAsBefore reports whether the export has the inputs and the settings with which all
// attributes were applied that its wildcards took. Then its header has no others.
func (s *snapshot) isAsBefore() bool {
	before := s.wanted(nil)
	fingerprint, _ := s.print(before, s.o.Fields)
	return fingerprint != "" && len(before) > 0 && !slices.ContainsFunc(before, func(a engage.Attribute) bool {
		return s.known[a.Key].Applied.Fingerprint != fingerprint
	})
}

// isTooOld reports whether nothing of the export can be applied because of its age, so that
// it need not be read as a whole.
func (s *snapshot) isTooOld() bool {
	all := s.wanted(nil)
	return len(all) > 0 && !slices.ContainsFunc(all, func(a engage.Attribute) bool {
		return guard.CheckAge(s.AsOf, s.known[a.Key].Applied, s.MaxAge, s.At) == ""
	})
}

// name implements [kind]. It adds the attributes for which the wildcards stand.
func (s *snapshot) name() {
	if len(s.Wildcards) > 0 {
		s.addTaken(s.Input, slices.DeleteFunc(s.taken(s.columns), s.isElsewhere))
	}
	if s.source != nil {
		s.fingerprint, s.former = s.print(s.Attributes, s.o.Fields)
		s.countParts()
	}
	if s.openErr != nil {
		s.refuse(s.openErr)
	}
	if s.early != nil {
		s.chooseCells()
		s.judgeRows()
	}
	what := "column"
	if s.NamesInRows() {
		what = "name"
	}
	s.holdPatterns(s.Input, func(w engage.Wildcard, a *Attribute) bool { return w.Matches(a.Name) },
		func(w engage.Wildcard) string { return "no " + what + " matches " + w.Pattern })
}

// isElsewhere reports whether an attribute that the wildcards took before, or may have taken,
// is not one of the columns, and another export feeds it.
func (s *snapshot) isElsewhere(a engage.Attribute) bool {
	return !hasKey(s.TakeColumns(s.columns), a.Key) && (s.byKey(a.Key) != nil || slices.ContainsFunc(s.All, func(other *Input) bool {
		return other != s.Input && hasKey(other.TakeColumns(other.columns), a.Key)
	}))
}

// chooseCells finds the attributes of which there are cells in rows that were read early.
func (s *snapshot) chooseCells() {
	results := make([]engage.AttributeResult, len(s.Feeds))
	s.cells = make([]*Attribute, len(s.early))
	for cell, read := range s.early {
		same := func(a *Attribute) bool {
			return a.Key == read.Key && a.Kind == read.Kind && a.Name == read.Name && a.Column == read.Column
		}
		if i := slices.IndexFunc(s.Feeds, same); i >= 0 {
			s.cells[cell], results[i] = s.Feeds[i], s.Result.Attributes[cell]
		}
	}
	s.Result.Attributes = results
}

// read implements [kind].
func (s *snapshot) read(ctx context.Context) error {
	s.expectEnd(s.Input, s.wanted(nil))
	if err := s.compare(ctx); err != nil {
		return err
	}
	err, failed := s.sortRows(ctx, nil)
	if err != nil {
		s.refuse(err)
	}
	return failed
}

// sortRows sorts the rows. err is what is wrong with the export, which then has none; failed is
// an error of the run. choose, if there is one, tells what is read, see
// [engage.Source.ReadChosen].
func (s *snapshot) sortRows(ctx context.Context, choose func(columns []string) []engage.Attribute) (err, failed error) {
	if s.Rows == nil {
		s.Rows = s.newRows()
	}
	encode := func(dst []byte, line int, cells []attr.Value) []byte {
		if s.delta.some != nil {
			dst = append(dst, deltaRow)
		}
		if s.Request.Traces {
			dst = appendLine(dst, line)
		}
		return attr.AppendCells(dst, cells)
	}
	add := func(userID, row []byte) error {
		failed = s.Rows.Add(userID, row)
		return failed
	}
	if s.delta.some != nil && s.delta.taken == nil {
		s.Result, err = s.source.ReadSome(ctx, s.Attributes, s.delta.some.Has, encode, add)
	} else {
		s.Result, err = s.source.ReadEncoded(ctx, s.Attributes, choose, encode, add)
	}
	if sort := (*engage.SortError)(nil); errors.As(err, &sort) {
		failed = cmp.Or(failed, sort.Err)
	}
	if failed != nil || ctx.Err() != nil {
		return nil, cmp.Or(failed, ctx.Err())
	}
	if err != nil {
		s.drop()
		return err, nil
	}
	if t := s.delta.taken; t != nil && !t.count(&s.Result, s.delta.some == nil) {
		s.delta.idle = "gleapsync and the database do not agree which rows have a user id"
	}
	return nil, s.Rows.Finish()
}

// judge implements [kind].
func (s *snapshot) judge() {
	if s.early == nil && s.Rows != nil {
		s.judgeRows()
	}
}

func (s *snapshot) judgeRows() {
	for i, a := range s.Feeds {
		r := s.Result.Attributes[i]
		if r.Err != nil {
			a.Hold(r.Err.Error() + a.ifGone())
		}
		for _, share := range s.Result.Shares(r) {
			if reason := guard.CheckInvalid(share.Invalid, share.Of, s.o.MaxInvalid); reason != "" {
				a.Hold(reason + cmp.Or(a.misfit(r.Invalid), s.example(a, r.Invalid)))
			}
		}
		a.decideType(r.Fits)
	}
}

// example says what is wrong with values of an attribute, "" if that is not why rows are invalid.
func (s *snapshot) example(a *Attribute, invalid int) string {
	column := cmp.Or(a.Column, a.Key)
	i := slices.IndexFunc(s.Result.Problems, func(p engage.Problem) bool { return p.Column == column })
	if invalid == 0 || i < 0 {
		return ""
	}
	return ": column " + column + ": " + s.Result.Problems[i].Reason
}

// add implements [kind]. Of several values of one attribute the last one counts, of a contact
// field's the first: exports and their further rows come in order, but see several.go.
func (s *snapshot) add(w *Wanted, row []byte) error {
	if s.delta.some != nil {
		var counts bool
		if row, counts = w.cutDelta(s.Input, row); !counts {
			return nil
		}
	}
	w.present[s.Index] = said[bool]{true, w.now}
	from := len(w.arena)
	w.arena = append(w.arena, row...)
	attributes := s.Feeds
	if s.cells != nil {
		attributes = s.cells
	}
	line, cells, ok := w.cutLine(w.arena[from:])
	if !ok {
		return extsort.ErrTemp
	}
	kinds, texts, ok := attr.CutCells(cells, len(attributes)+len(w.fields))
	if !ok {
		return extsort.ErrTemp
	}
	for cell := range len(attributes) + len(w.fields) {
		kind := kinds.Of(cell)
		if kind == attr.None {
			continue
		}
		var text []byte
		if kind.HasText() {
			if text, texts, ok = attr.CutText(texts); !ok {
				return extsort.ErrTemp
			}
		}
		if kind > attr.String || kind == attr.Null && cell >= len(attributes) {
			return extsort.ErrTemp
		}
		if cell >= len(attributes) {
			w.sayField(s.Input, cell-len(attributes), text)
			continue
		}
		a := attributes[cell]
		if a == nil {
			continue
		}
		id, v := a.ID, attr.Of(kind, text)
		if a.convert {
			v = a.value(v)
		}
		if v.Kind() <= attr.Null { // it says nothing, or nothing of its type
			w.silent[id] = w.now
			continue
		}
		now := &w.values[id]
		if now.mark != w.now {
			w.ids = append(w.ids, id)
		} else if !w.choose(s.Input, now.value, v) {
			continue
		}
		now.value, now.mark = v, w.now // one after the other, which is faster
		w.stands(id, line)
	}
	return nil
}

// ask implements [kind].
func (s *snapshot) ask(ctx context.Context, userID string, _ state.Said) (map[string]Said, error) {
	attributes := s.wanted(nil)
	if s.Source == engage.Stdin { // what is there is for a sync, and can be read once
		return failed(attributes, errors.New("the standard input is read by a sync only")), nil
	}
	found := false
	rows := make([][]placed, len(attributes)) // what a value counts for is known once its type is
	var result engage.Result
	if s.open(ctx, s.Input) {
		s.expectEnd(s.Input, attributes)
		result, s.openErr = s.source.Read(ctx, attributes, func(id []byte, cells []attr.Value) error {
			if string(id) != userID {
				return nil
			}
			found = true
			for n, cell := range cells[:len(rows)] {
				rows[n] = append(rows[n], placed{cell.Clone(), place{s.source.File(), s.source.Line()}})
			}
			return nil
		})
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if s.openErr != nil {
		return failed(attributes, s.openErr), nil
	}
	all := map[string]Said{}
	for n, settings := range attributes {
		a := Attribute{Attribute: settings}
		a.decideType(result.Attributes[n].Fits)
		v, at := s.chosen(&a, rows[n])
		said := Said{Value: v, Absent: !found || result.Sparse && v.Kind() == attr.None}
		if said.Absent {
			said.Unread = result.Unknown
		}
		if missing := result.Attributes[n].Err; missing != nil {
			said = Said{Error: missing.Error()}
		} else if !said.Absent && v.Kind() != attr.None {
			said.File, said.Line = at.file, at.line
		}
		all[a.Key] = said
	}
	return all, nil
}

// filesAfter implements [kind]. Snapshots are known by their fingerprints.
func (s *snapshot) filesAfter(bool) []state.DoneFile { return nil }

// bringsBack implements [kind].
func (s *snapshot) bringsBack(ctx context.Context, key, name string, _ engage.Kind) error {
	return s.patternTakes(ctx, key, name)
}
