package engage

import (
	"context"
	"errors"
	"fmt"

	"gleapsync/internal/source"
	"gleapsync/internal/table"
	"gleapsync/internal/userid"
)

// Prints says of what [Source.Prints] found what the rows do not say.
type Prints struct {
	// Form is all that is made of a row depends on, besides the row and the settings: the
	// format, and the names of the columns. Prints of different forms say nothing.
	Form string
	Rows int // without headers
}

// ErrNoPrints is returned for a source of which nobody can tell which rows changed without reading
// it as a whole.
var ErrNoPrints = errors.New("the rows of this export have no prints")

// sparseTable is a table that gives a few cells of a row first, and all of them on request.
type sparseTable interface {
	rowStream
	// Form is that of [Prints].
	Form() string
	// AskFirst has Next return the cells of these columns only, which come in their order, and nil
	// for the others; or all of them, where that is simpler. It is called before the first row,
	// after Ask where the table has that too.
	AskFirst(columns []int)
	// Rest returns what Next would have returned without AskFirst. It is called for the row that
	// Next returned last, before the next one, if that is wanted.
	Rest() ([][]byte, error)
	// AskPrints has Print return the hash of the row that Next returned last, over all columns that
	// were asked for. It is called before the first row.
	AskPrints(seed uint64)
	Print() [16]byte
}

// CanPrint reports whether the source can be read twice, and may have rows with prints.
func (s *Source) CanPrint() bool {
	if s.traits != nil || s.query != nil || s.export.Changes || s.export.Format == NDJSON ||
		s.export.Identifiers != AllIDs && s.export.Identifiers != "" {
		return false
	}
	for _, in := range s.inputs.All {
		if !in.IsLocal() { // who gets all of it over a network a second time wins nothing
			return false
		}
	}
	return true
}

// Prints calls add with each row's print, a hash of all that the row is read from, for each user id
// of the row and in the order of the rows. It looks at no more of the cells than it takes to find
// the ids. Rows without a user id, and those that cannot be read, it passes over:
// [Source.ReadSome] counts them. Both arguments are valid until add returns.
//
// The error is [ErrNoPrints], wrapped, where the source has none, else as that of [Source.Read].
func (s *Source) Prints(ctx context.Context, attributes []Attribute, seed uint64, add func(userID, print []byte) error) (Prints, error) {
	if !s.CanPrint() {
		return Prints{}, ErrNoPrints
	}
	r := &rowReader{export: s.export, add: add, addPrint: add, seed: seed}
	r.export.Progress = nil // who reads the rows tells of them
	r.want(attributes)
	r.result.Fields = make([]bool, len(s.export.Fields))
	var found Prints
	for n, in := range s.inputs.All {
		err := s.readInput(ctx, in, r, nil)
		if err == nil && n > 0 && r.form != found.Form {
			err = fmt.Errorf("%s: %w", in.Name, ErrNoPrints)
		}
		if err != nil {
			return Prints{}, source.Ended(ctx, err)
		}
		found = Prints{Form: r.form, Rows: r.result.Rows}
	}
	return found, nil
}

// takePrint takes the print of the next row, if that can be read.
func (r *rowReader) takePrint(fields [][]byte, err error) error {
	if err != nil {
		if errors.As(err, new(*table.RowError)) {
			return nil
		}
		return fmt.Errorf("%s: %w", r.file, err)
	}
	r.readIDs(fields)
	r.print = r.some.Print()
	for _, id := range r.ids {
		if err := r.addPrint(id, r.print[:]); err != nil {
			return err
		}
	}
	return nil
}

// isSparse reports whether not all cells of all rows are read.
func (r *rowReader) isSparse() bool { return r.wanted != nil || r.addPrint != nil }

// skim has a table give first what it takes to find the user ids.
func (r *rowReader) skim(rows sparseTable) {
	first := layout{userIDs: r.userIDs, named: r.named, profile: r.profile, external: r.external}
	if r.named {
		first.external = -1
	}
	rows.AskFirst(first.columns())
	if t, ok := rows.(*table.Parquet); ok && r.wanted != nil {
		ahead := &rowReader{export: r.export, wanted: r.wanted, inFile: inFile{rowCells: rowCells{layout: r.layout, forms: r.forms}}}
		t.AskRest(ahead.isWanted)
		r.hasRest = t.HasRest
	}
}

// isWanted reports whether all of a row is to be read, of which there are the cells with the user
// ids. It is if one of its users is wanted, and if they say anything but sound ids: that is
// counted.
func (r *rowReader) isWanted(fields [][]byte) bool {
	if r.readIDs(fields); len(r.ids) == 0 {
		return true
	}
	if r.hasRest != nil {
		return r.hasRest()
	}
	for _, id := range r.ids {
		if reason, _ := userid.Check(id); reason != "" || r.wanted(id) {
			return true
		}
	}
	return false
}

// passOver does what reading a row does besides, once its ids are known.
func (r *rowReader) passOver(fields [][]byte) error {
	if err := r.enterProfile(fields); err != nil {
		return err
	}
	r.begun, r.hasID = true, true
	r.seen.add(r.ids[0])
	return r.seen.check(r.file, instead)
}
