package parquet

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"gleapsync/internal/cell"
)

// File is a Parquet file that is being read. It has all columns of the file that can be
// cells, but reads those only that it is asked for, and of each a page at a time.
type File struct {
	names   []string
	found   []*column // one for each name
	asked   []*column // those that are read,
	later   []*column // and those that Rest has, or of which there are prints only
	source  io.ReaderAt
	size    int64
	groups  []rowGroup
	group   int          // how many row groups were begun
	left    int64        // rows of the present group that are not read yet
	room    atomic.Int64 // how many entries more dictionaries may have
	row     int          // how many were read
	scratch sync.Pool    // for pages

	workers int
	failed  error // of ReadBatch
	batch   Batch // of Next,
	at      int   // its row,
	cells   [][]byte

	// Where few columns are read first:
	ahead  Batch      // the next one
	began  bool       // to read it
	filled chan error // tells that it was read
	begun  int        // rows of the present group before the batch
	wanted func(cells [][]byte) bool
	rested bool // some of the cells are of Rest

	prints bool // they were asked for
	seed   uint64
	hashed [][]*column // the later columns: those in one are hashed together
	sums   [][]sum     // of the batch's rows, what each goroutine added up
}

// Open finds the columns of a file of that size.
func Open(r io.ReaderAt, size int64) (t *File, err error) {
	defer recoverDamage(&err, debug.SetPanicOnFault(true))
	footer, err := readFooter(r, size)
	if err != nil {
		return nil, readError(err)
	}
	root, columns, err := newSchema(footer.Schema)
	if err != nil {
		return nil, err
	}
	t = &File{source: r, size: size, groups: footer.RowGroups, workers: runtime.GOMAXPROCS(0)}
	t.sums = make([][]sum, t.workers)
	t.room.Store(mostEntries)
	var rows int64
	for _, group := range t.groups {
		if group.NumRows < 0 || len(group.Columns) != columns {
			return nil, errDamaged
		}
		rows += group.NumRows
	}
	if rows != footer.NumRows {
		return nil, errDamaged
	}
	for _, top := range root.nodes {
		if c := newColumn(top); c != nil {
			t.names = append(t.names, top.name)
			t.found = append(t.found, c)
		}
	}
	t.cells = make([][]byte, len(t.names))
	return t, nil
}

// Columns returns the names of the columns.
func (t *File) Columns() []string { return t.names }

// Forms sets the forms of the columns, in their order.
func (t *File) Forms(all []cell.Form) {
	for i, c := range t.found {
		all[i] = c.form()
	}
}

// Line counts rows: there are no lines.
func (t *File) Line() int { return t.batch.First + t.at }

// nextRows is how many rows Next decodes at a time.
const nextRows = 1 << 10

// Next returns the cells of the next row, one for each column and valid until it is called
// again, or io.EOF. Only the columns that were asked for have a cell.
func (t *File) Next() (cells [][]byte, err error) {
	if t.at++; t.at >= t.batch.Rows {
		t.at, t.batch.Rows = 0, 0
		if err := t.nextBatch(); err != nil {
			return nil, err
		}
	}
	if t.rested {
		for _, c := range t.later {
			t.cells[c.at] = nil
		}
		t.rested = false
	}
	for _, c := range t.asked {
		t.cells[c.at] = t.batch.Cells[c.at].Cell(t.at)
	}
	return t.cells, nil
}

func (t *File) nextBatch() error {
	if t.filled != nil {
		return t.nextSparse()
	}
	return t.read(&t.batch, nextRows)
}

// Ask says which columns are to be read, before the first row. None is asked for twice.
func (t *File) Ask(columns []int) {
	for _, i := range columns {
		t.found[i].dictionary.room = &t.room
		t.found[i].at = i
		t.asked = append(t.asked, t.found[i])
	}
}

// Close gives back what the reading needed.
func (t *File) Close() {
	if t.began {
		<-t.filled
		t.began = false
	}
	for _, c := range slices.Concat(t.asked, t.later) {
		c.end()
	}
}

var (
	errBreaksOff = errors.New("its Parquet data breaks off: the export is not complete; export it again, and the next run takes it")
	errDamaged   = errors.New("its Parquet data is damaged: export it again")
	errEncrypted = errors.New("its Parquet data is encrypted: export it without encryption")
)

// readError tells a disk that cannot be read from data that is damaged. What libraries
// say of them is for programmers.
func readError(err error) error {
	var path *fs.PathError
	switch {
	case errors.As(err, &path), errors.Is(err, errBreaksOff), errors.Is(err, errEncrypted):
		return err
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("its Parquet data is of a kind that cannot be read: %w", err)
	}
	return errDamaged
}

// recoverDamage is to be deferred around libraries, which take data for granted and
// panic, or read past their end, where they are damaged. The latter panics too as long as
// [debug.SetPanicOnFault] says so; before is what it said.
func recoverDamage(err *error, before bool) {
	debug.SetPanicOnFault(before)
	if recover() != nil {
		*err = errDamaged
	}
}
