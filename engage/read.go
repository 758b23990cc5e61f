package engage

import (
	"context"
	"fmt"

	"gleapsync/internal/attr"
	"gleapsync/internal/source"
	"gleapsync/internal/table"
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
	return s.read(ctx, &rowReader{export: s.export, yield: yield}, attributes, nil)
}

// ReadChosen is Read for who knows which attributes are wanted only once the columns are
// known: choose gets those of the first input. Where names come with the rows it is asked
// twice, at first with none.
func (s *Source) ReadChosen(ctx context.Context, choose func(columns []string) []Attribute, yield func(userID []byte, cells []attr.Value) error) (Result, error) {
	return s.read(ctx, &rowReader{export: s.export, yield: yield}, nil, choose)
}

// ReadSome is [Source.ReadEncoded] of the rows of some users only: those whose ids are wanted, and
// all that cannot be read. The result is that of Read if all that is wrong stands in these rows. It
// is for sources that have prints. wanted, too, is called on several processors at a time.
func (s *Source) ReadSome(ctx context.Context, attributes []Attribute, wanted func(userID []byte) bool,
	encode func(dst []byte, line int, cells []attr.Value) []byte, yield func(userID, row []byte) error) (Result, error) {
	return s.read(ctx, newEncoder(s, wanted, encode, yield), attributes, nil)
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
	return s.read(ctx, newEncoder(s, nil, encode, yield), attributes, choose)
}

// newEncoder returns what reads rows for who keeps them encoded.
func newEncoder(s *Source, wanted func([]byte) bool, encode func([]byte, int, []attr.Value) []byte, yield func(userID, row []byte) error) *rowReader {
	var row []byte
	alone := func(userID []byte, cells []attr.Value) error {
		row = encode(row[:0], s.Line(), cells)
		return yield(userID, row)
	}
	return &rowReader{export: s.export, wanted: wanted, yield: alone, encode: encode, add: yield}
}

// read has r read all inputs. If there is a choose, it says which attributes are wanted.
func (s *Source) read(ctx context.Context, r *rowReader, attributes []Attribute, choose func([]string) []Attribute) (Result, error) {
	if s.traits != nil {
		return readProfiles(ctx, s, attributes, choose, r.yield)
	}
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
	rows, err := s.open(ctx, in, r.export.Attributes)
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
