package engage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/source"
	"gleapsync/internal/table"
	"gleapsync/internal/userid"
)

// Read streams the rows of s. For each user id of each row it calls yield with the values
// of the attributes followed by those of the contact fields, in the order of the arguments
// and of the export's settings. A value of kind None says nothing. Both arguments are valid
// until yield returns; an error from yield ends the reading.
//
// The user id stands in the column that the settings name, else in user_id (and
// user_id_1, user_id_2 …) or userId, else in the JSON of external_ids. Rows that
// follow each other with the same profile id are one profile.
//
// An error means that the export cannot be used, whatever was yielded before.
func (s *Source) Read(ctx context.Context, attributes []Attribute, yield func(userID []byte, cells []attr.Value) error) (Result, error) {
	return s.read(ctx, attributes, nil, yield)
}

// ReadChosen is Read for who knows which attributes are wanted only once the columns are
// known: choose gets those of the first input. Where names come with the rows it is asked
// twice, at first with none.
func (s *Source) ReadChosen(ctx context.Context, choose func(columns []string) []Attribute, yield func(userID []byte, cells []attr.Value) error) (Result, error) {
	return s.read(ctx, nil, choose, yield)
}

// ReadSome is [Source.ReadEncoded] of the rows of some users only: those whose ids are wanted, and
// all that cannot be read. The result is that of Read if all that is wrong stands in these rows. It
// is for sources that have prints. wanted, too, is called on several processors at a time.
func (s *Source) ReadSome(ctx context.Context, attributes []Attribute, wanted func(userID []byte) bool,
	encode func(dst []byte, line int, cells []attr.Value) []byte, yield func(userID, row []byte) error) (Result, error) {
	return s.readRows(ctx, s.encoder(wanted, encode, yield), attributes, nil)
}

func (s *Source) read(ctx context.Context, attributes []Attribute, choose func([]string) []Attribute, yield func([]byte, []attr.Value) error) (Result, error) {
	if s.traits != nil {
		return s.readProfiles(ctx, attributes, choose, yield)
	}
	return s.readRows(ctx, &rowReader{export: s.export, yield: yield}, attributes, choose)
}

// ReadEncoded is [Source.Read] for who keeps rows as encode makes them: it appends what a row at a
// line says, see [Source.Line], and is called on several processors at a time as long as
// [Export.Idle] says that there are any. yield is called as that of Read, in the order of the rows.
// If there is a choose it is [Source.ReadChosen], and attributes do not count.
func (s *Source) ReadEncoded(ctx context.Context, attributes []Attribute, choose func(columns []string) []Attribute,
	encode func(dst []byte, line int, cells []attr.Value) []byte, yield func(userID, row []byte) error) (Result, error) {
	if choose != nil {
		attributes = nil
	}
	r := s.encoder(nil, encode, yield)
	if s.traits != nil {
		return s.readProfiles(ctx, attributes, choose, r.yield)
	}
	return s.readRows(ctx, r, attributes, choose)
}

// encoder returns what reads rows for who keeps them encoded.
func (s *Source) encoder(wanted func([]byte) bool, encode func([]byte, int, []attr.Value) []byte, yield func(userID, row []byte) error) *rowReader {
	var row []byte
	alone := func(userID []byte, cells []attr.Value) error {
		row = encode(row[:0], s.Line(), cells)
		return yield(userID, row)
	}
	return &rowReader{export: s.export, wanted: wanted, yield: alone, stretches: stretches{encode: encode, add: yield}}
}

func (s *Source) readRows(ctx context.Context, r *rowReader, attributes []Attribute, choose func([]string) []Attribute) (Result, error) {
	s.reading = r
	r.idsChecked = s.idsChecked
	defer func() { s.reading = nil }()
	r.want(attributes)
	r.result.Fields = make([]bool, len(s.export.Fields))
	for _, in := range s.inputs.All {
		if err := s.readInput(ctx, in, r, choose); err != nil {
			return r.result, source.Ended(ctx, err)
		}
		choose = nil
	}
	return r.result, nil
}

// Line returns where the row stands that [Source.Read] yields, while it does: in a file the line
// where it begins, in a table the number of the row, 0 if nobody knows.
func (s *Source) Line() int {
	switch r := s.reading; {
	case r == nil:
		return 0
	case r.export.Identifiers == LastID:
		return r.lastLine
	default:
		return r.rows.Line()
	}
}

// File returns the name of the file in which that row stands.
func (s *Source) File() string {
	if s.reading == nil {
		return ""
	}
	return s.reading.file
}

func (s *Source) readInput(ctx context.Context, in source.Input, r *rowReader, choose func([]string) []Attribute) (err error) {
	rows, err := s.openTable(ctx, in, r.export.Attributes)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	if s.columns == nil {
		s.columns = readable(rows)
	}
	if choose != nil {
		if _, ok := rows.(*table.NDJSON); ok {
			return errNoNames(in.Name)
		}
		r.want(choose(rows.Columns()))
	}
	if err := r.begin(in.Name, rows); err != nil {
		return fmt.Errorf("%s: %w", in.Name, err)
	}
	return r.all(ctx)
}

// rowReader reads the rows of an export, file by file.
type rowReader struct {
	export Export // with the attributes that are wanted
	yield  func([]byte, []attr.Value) error
	wanted func(userID []byte) bool // nil: the rows of all users are
	result Result

	addPrint func(userID, print []byte) error // gets the prints of rows, of which nothing else is read; nil: they are read

	// Of the file that is being read:
	*layout
	file    string
	rows    rowStream
	some    sparseTable  // the same, if not all cells are wanted,
	hasRest func() bool  // and of a row whether they are, if that was asked before
	csv     *table.CSV   // the same, if it is one,
	lines   lineTable    // the same, if it has a row on each line,
	batch   *parquetRows // or if it is that
	forms   []cell.Form  // of the columns
	cells   []attr.Value
	ids     [][]byte

	profileRows        // of the profile that is being read
	firstID     []byte // with [FirstID]: the id that counts

	// What the row's JSON columns hold, as far as that is needed.
	jsonIDs, jsonTraits jsonscan.Members
	items               []json.RawMessage

	lastID    []byte       // with [LastID]: the id that counts so far,
	lastCells []attr.Value // what was said of it,
	lastLine  int          // and where

	traitsSound bool // the row's JSON of traits can be read

	seen       idCheck
	idsChecked bool // they were, when the rest was read

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
	*r = rowReader{
		export: r.export, yield: r.yield, wanted: r.wanted, addPrint: r.addPrint, result: r.result, layout: l, file: file, rows: rows, stretches: r.stretches.again(),
		forms: make([]cell.Form, len(names)), cells: make([]attr.Value, len(l.cells)), seen: idCheck{named: l.named}, idsChecked: r.idsChecked,
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
	return nil
}

// tick is after how many rows the reader looks up.
const tick = 1 << 10

func (r *rowReader) all(ctx context.Context) error {
	for {
		if r.result.Rows%tick == 0 && r.mayStretch() {
			if err := r.readStretches(ctx); err != nil {
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
	r.unknownRow(r.rows.Line(), broken.Reason)
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
		r.problem(r.csv.Line(), "", table.Suspect)
		r.result.miss(1, Problem{File: r.file, Line: r.csv.Line(), Reason: table.Suspect})
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
			r.unreadableIDs = append(r.unreadableIDs, Problem{Line: r.rows.Line(), Reason: reason})
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
		r.invalidRow(bad)
	default:
		r.unknownRow(r.rows.Line(), bad)
	}
}

func (r *rowReader) invalidRow(reason string) {
	r.result.Invalid++
	r.problem(r.rows.Line(), "", reason)
}

// unknownRow counts a row that cannot be read, and of which nobody knows whom it is about.
func (r *rowReader) unknownRow(line int, reason string) {
	r.result.Invalid++
	r.problem(line, "", reason)
	r.result.miss(1, Problem{File: r.file, Line: line, Reason: reason})
}

func (r *rowReader) problem(line int, column, reason string) {
	r.result.remember(Problem{File: r.file, Line: line, Column: column, Reason: reason})
}
