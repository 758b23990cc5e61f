package engage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/table"
	"gleapsync/internal/userid"
)

// rowReader reads the rows of an export, file by file.
type rowReader struct {
	export     Export // with the attributes that are wanted
	result     Result
	yield      func([]byte, []attr.Value) error
	wanted     func(userID []byte) bool // nil: the rows of all users are
	idsChecked bool                     // what the first ids look like was judged before

	encode func(dst []byte, line int, cells []attr.Value) []byte // for who keeps rows encoded, else nil
	add    func(userID, row []byte) error                        // and what gets these

	addPrint func(userID, print []byte) error // gets the prints of rows, of which nothing else is read; nil: they are read
	seed     uint64                           // of the prints
	print    [16]byte                         // that of the present row

	stretchSize int // bytes of a stretch of CSV, 0: [table.StretchSize]

	inFile
}

// inFile is what a [rowReader] knows of the file that it reads.
type inFile struct {
	file    string
	rows    rowStream
	some    sparseTable  // the same, if not all cells are wanted,
	form    string       // and of prints the form,
	hasRest func() bool  // and of a row whether they are, if that was asked before
	csv     *table.CSV   // the same, if it is one,
	lines   lineTable    // the same, if it has a row on each line,
	batch   *parquetRows // or if it is that
	rowCells
	cells []attr.Value
	seen  idCheck

	profileRows        // of the profile that is being read
	firstID     []byte // with [FirstID]: the id that counts

	lastID    []byte       // with [LastID]: the id that counts so far,
	lastCells []attr.Value // what was said of it,
	lastLine  int          // and where

	stretches
}

// profileRows is what was seen of a profile: several rows that follow each other may belong to it.
type profileRows struct {
	profileID     []byte
	hasID         bool
	withoutID     int
	unreadableIDs []Problem // rows whose external ids cannot be read
}

// want sets the attributes that are wanted.
func (r *rowReader) want(attributes []Attribute) {
	r.export.Attributes, r.result.Attributes = attributes, make([]AttributeResult, len(attributes))
}

// begin starts a file: it finds what is wanted in its header, and asks for these columns.
func (r *rowReader) begin(file string, rows table.Table) error {
	names := rows.Columns()
	l, err := newLayout(names, r.export)
	if err != nil {
		return err
	}
	r.inFile = inFile{
		file: file, rows: rows, rowCells: rowCells{layout: l, forms: make([]cell.Form, len(names))},
		cells: make([]attr.Value, len(l.cells)), seen: idCheck{named: l.named},
	}
	if r.idsChecked {
		r.seen.seen = enoughIDs + 1
	}
	r.csv, _ = rows.(*table.CSV)
	r.lines, _ = rows.(lineTable)
	_, isJSON := rows.(*table.NDJSON)
	for i, missing := range l.missing {
		if missing != nil {
			r.result.Attributes[i].Err = fmt.Errorf("%s: %w", file, missing)
		}
	}
	for i, c := range l.cells[len(r.export.Attributes):] {
		r.result.HasFields = r.result.HasFields || c.column >= 0 || c.inJSON
		if c.column >= 0 && !isJSON { // JSON has what a line has
			r.result.Fields[i] = true
		}
	}
	if t, ok := rows.(typedTable); ok {
		t.Forms(r.forms)
	}
	for i, a := range r.export.Attributes {
		c := &l.cells[i]
		c.isBool = c.column >= 0 && a.Kind == Audience && r.forms[c.column] == cell.Text
	}
	if t, ok := rows.(askedTable); ok {
		t.Ask(l.columns())
	}
	if r.isSparse() {
		r.some, _ = rows.(sparseTable)
		if r.some == nil {
			return ErrNoPrints
		}
		r.skim(r.some)
	}
	if r.addPrint != nil {
		r.some.AskPrints(r.seed)
		r.form = r.some.Form()
	}
	return nil
}

// tick is after how many rows the reader looks up.
const tick = 1 << 10

func (r *rowReader) all(ctx context.Context) error {
	for {
		if r.result.Rows%tick == 0 && r.mayStretch() {
			if err := newStretchReader(r).read(ctx); err != nil {
				return err
			}
		}
		if err := r.next(ctx); err == io.EOF {
			return r.end()
		} else if err != nil {
			return err
		}
	}
}

// next reads the next row. The error is io.EOF behind the last.
func (r *rowReader) next(ctx context.Context) error {
	fields, err := r.rows.Next()
	if err == io.EOF {
		return err
	}
	if r.result.Rows++; r.result.Rows%tick == 0 {
		if ctx.Err() != nil { // what is decoded already has no buffers
			return ctx.Err()
		}
		if r.export.Progress != nil {
			r.export.Progress(tick)
		}
	}
	return r.take(fields, err)
}

// take takes the next row, or what is wrong with it.
func (r *rowReader) take(fields [][]byte, err error) error {
	switch {
	case r.addPrint != nil:
		return r.takePrint(fields, err)
	case err == nil && r.some != nil:
		if !r.isWanted(fields) {
			return r.passOver(fields)
		}
		fields, err = r.some.Rest()
	}
	if err == nil {
		return r.row(fields)
	}
	var broken *table.RowError
	if !errors.As(err, &broken) {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	r.result.unknown(r.problem(broken.Reason))
	r.result.Cut = r.result.Cut || r.lines != nil && r.lines.IsCutOff()
	return nil
}

// end is called behind the last row of a file.
func (r *rowReader) end() error {
	if r.addPrint != nil {
		return nil
	}
	if r.lines != nil { // stretches end with a line break each, as the row before them did
		r.result.ended(r.lines.Terminated())
	}
	if err := r.endProfile(); err != nil {
		return err
	}
	return r.seen.end(r.file, instead)
}

// instead is what to do about an export whose user ids are hashes.
const instead = otherForm + " (if they really are your user ids, name their column with user_id)"

func (r *rowReader) row(fields [][]byte) error {
	if r.csv != nil && r.csv.IsSuspect() {
		r.result.remember(r.problem(table.Suspect))
		r.result.miss(1, r.problem(table.Suspect))
	}
	if err := r.enterProfile(fields); err != nil {
		return err
	}
	r.begun = true
	if reason := r.readIDs(fields); len(r.ids) == 0 {
		if r.csv != nil && r.csv.MayBreakOff(fields) {
			return fmt.Errorf("%s: %w", r.file, table.ErrTruncated)
		}
		if reason == "" {
			r.withoutID++
		} else {
			r.unreadableIDs = append(r.unreadableIDs, r.problem(reason))
		}
		return nil
	}
	if r.dropBadIDs(); len(r.ids) == 0 {
		return nil
	}
	r.hasID = true
	r.readCells(fields)
	r.seen.add(r.ids[0])
	if err := r.seen.check(r.file, instead); err != nil {
		return err
	}
	return r.yieldIDs()
}

// enterProfile closes the profile before, if the row is of another one.
func (r *rowReader) enterProfile(fields [][]byte) error {
	if r.profile >= 0 && len(fields[r.profile]) > 0 && bytes.Equal(fields[r.profile], r.profileID) {
		return nil
	}
	if err := r.endProfile(); err != nil {
		return err
	}
	if r.profile >= 0 {
		r.profileID = append(r.profileID[:0], fields[r.profile]...)
	}
	return nil
}

// dropBadIDs takes the ids out that no contact can have, and counts the row once.
func (r *rowReader) dropBadIDs() {
	bad, known := "", true
	kept := r.ids[:0]
	for _, id := range r.ids {
		if reason, isKnown := userid.Check(id); reason != "" {
			bad, known = reason, known && isKnown
			r.seen.add(id)
			continue
		}
		kept = append(kept, id)
	}
	r.ids = kept
	switch {
	case bad == "":
	case known:
		r.result.invalid(r.problem(bad))
	default:
		r.result.unknown(r.problem(bad))
	}
}

// problem returns what is wrong with the row that is being read.
func (r *rowReader) problem(reason string) Problem {
	return Problem{File: r.file, Line: r.rows.Line(), Reason: reason}
}
