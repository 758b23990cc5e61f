package engage

import (
	"cmp"
	"encoding/binary"
	"io"

	"gleapsync/internal/attr"
	"gleapsync/internal/table"
)

// A file is read on several processors by cutting it into stretches: rows that follow each
// other. One goroutine cuts, which is cheap, some read, each a stretch with a [rowReader] of its
// own, and the one that asked for the rows gets them in their order. What a reader knows of the
// rows before, the stretches' readers leave to that one: see [rowReader.join].

// cutter cuts a table into stretches, of which some rows were read before.
type cutter interface {
	// cut makes the next rows those of a stretch, and reports false where it cannot: then Next goes
	// on behind the last stretch.
	cut(s *stretch) (ok bool, err error)
}

// newCutter returns what cuts the file that r reads.
func newCutter(r *rowReader) cutter {
	if t, ok := r.rows.(*table.Parquet); ok {
		return &parquetCutter{t, r.layout, make([]*madeValues, len(r.export.Attributes))}
	}
	return csvCutter{r.csv, cmp.Or(r.stretchSize, table.StretchSize)}
}

// csvCutter cuts CSV, and may be wrong then: a stretch ended within a row.
type csvCutter struct {
	csv  *table.CSV
	size int
}

func (c csvCutter) cut(s *stretch) (bool, error) {
	rows, ok := s.table.(*table.Stretch)
	if !ok {
		rows = &table.Stretch{}
		s.table = rows
	}
	return c.csv.Cut(rows, c.size), nil
}

// stretchRows are the rows of a stretch. There is an error other than io.EOF if the stretch was
// a wrong guess.
type stretchRows interface {
	rowStream
	Rewind()
}

// stretch is a stretch of a file.
type stretch struct {
	table stretchRows   // stays here to be used again
	err   error         // why it could not be cut
	sound bool          // it was read, to its end
	done  chan struct{} // closed then

	reader *rowReader
	rows   []byte // that were read: the id, behind its length, and the encoded row, behind its
}

// read reads the rows of the stretch for r.
func (s *stretch) read(r *rowReader) {
	if s.reader == nil {
		s.reader = &rowReader{
			export: r.export, wanted: r.wanted, inFile: inFile{
				file: r.file, rowCells: rowCells{layout: r.layout, forms: r.forms},
				cells: make([]attr.Value, len(r.cells)), seen: idCheck{seen: enoughIDs + 1},
			},
		}
		if r.addPrint != nil {
			s.reader.addPrint = s.addEncoded
		}
		s.reader.yield = func(userID []byte, cells []attr.Value) error {
			s.addRow(r, userID, cells)
			return nil
		}
	}
	own := s.reader
	s.table.Rewind()
	own.turnTo(s.table)
	own.profileRows = profileRows{}
	own.stretches = stretches{isHead: r.profile >= 0}
	own.result = Result{Attributes: make([]AttributeResult, len(r.result.Attributes)), Fields: make([]bool, len(r.result.Fields))}
	s.rows = s.rows[:0]
	for {
		fields, err := s.table.Next()
		if s.sound = err == io.EOF; s.sound {
			if own.batch != nil {
				own.batch.end(own)
			}
			return
		}
		own.result.Rows++
		if own.take(fields, err) != nil {
			return
		}
	}
}

// turnTo has the reader read rows of the same file from somewhere else.
func (r *rowReader) turnTo(where rowStream) {
	r.rows, r.csv, r.batch = where, nil, nil
	r.lines, _ = where.(lineTable)
	if r.isSparse() {
		r.some = where.(sparseTable)
	}
	switch where := where.(type) {
	case *table.CSV:
		r.csv = where
	case *table.Stretch:
		r.csv = &where.CSV
	case *parquetRows:
		r.batch = where
	}
}

// sizeBytes is how many bytes the length of an encoded row takes.
const sizeBytes = 4

func (s *stretch) addRow(r *rowReader, userID []byte, cells []attr.Value) {
	_ = s.addEncoded(userID, nil)
	at := len(s.rows)
	s.rows = r.encode(s.rows, s.table.Line(), cells)
	binary.LittleEndian.PutUint32(s.rows[at-sizeBytes:], uint32(len(s.rows)-at))
}

// addEncoded adds a row that is encoded. There is no error.
func (s *stretch) addEncoded(userID, row []byte) error {
	s.rows = binary.AppendUvarint(s.rows, uint64(len(userID)))
	s.rows = append(s.rows, userID...)
	s.rows = binary.LittleEndian.AppendUint32(s.rows, uint32(len(row)))
	s.rows = append(s.rows, row...)
	return nil
}

// each calls add with each of the rows.
func (s *stretch) each(add func(userID, row []byte) error) error {
	for rest := s.rows; len(rest) > 0; {
		size, n := binary.Uvarint(rest)
		userID := rest[n : n+int(size)]
		rest = rest[n+int(size):]
		end := sizeBytes + int(binary.LittleEndian.Uint32(rest))
		if err := add(userID, rest[sizeBytes:end]); err != nil {
			return err
		}
		rest = rest[end:]
	}
	return nil
}
