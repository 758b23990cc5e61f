package engage

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"

	"github.com/parquet-go/parquet-go"
)

// parquetMagic begins and ends every Parquet file.
const parquetMagic = "PAR1"

func isParquet(r *bufio.Reader) bool {
	start, _ := r.Peek(len(parquetMagic))
	return string(start) == parquetMagic
}

// parquetTable is a Parquet file as a table. It has all columns of the file that can be
// cells, but reads those only that the export needs, and of each a page at a time.
type parquetTable struct {
	names    []string
	found    []*parquetColumn // one for each name
	asked    []*parquetColumn // those that are read
	file     *parquet.File
	group    int   // how many row groups were begun
	left     int64 // rows of the present group that are not read yet
	row      int
	cells    [][]byte
	closeAll func() error
}

// openParquet opens text, which is what was compressed in raw. The format needs random
// access: what is no plain file is copied into one.
func (s *Source) openParquet(ctx context.Context, raw io.Reader, text *bufio.Reader, closeAll func() error) (*parquetTable, error) {
	if !isParquet(text) {
		if _, err := text.Peek(1); err != nil && err != io.EOF {
			return nil, err
		}
		return nil, errors.New("the file is no Parquet")
	}
	if f, ok := raw.(*openFile); ok {
		start := make([]byte, len(parquetMagic))
		if _, err := f.ReadAt(start, 0); err == nil && string(start) == parquetMagic {
			return newParquetTable(readingAt{ctx, f}, f.found.Size(), closeAll)
		}
	}
	temp, err := os.CreateTemp(s.export.TempDir, "gleapsync-*.tmp")
	if err != nil {
		return nil, unreadable("create a temporary file (sync.temp_dir): %v", err)
	}
	_ = os.Remove(temp.Name()) // the name; where an open file cannot be unlinked, close does
	closeTemp := func() {
		temp.Close()
		_ = os.Remove(temp.Name())
	}
	size, err := io.Copy(spoolWriter{temp}, text)
	if err != nil {
		closeTemp()
		return nil, err
	}
	t, err := newParquetTable(readingAt{ctx, temp}, size, func() error {
		closeTemp()
		return closeAll()
	})
	if err != nil {
		closeTemp()
	}
	return t, err
}

// spoolWriter tells a full disk from a source that cannot be read.
type spoolWriter struct{ file *os.File }

func (w spoolWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		err = unreadable("write a temporary file (sync.temp_dir): %v", err)
	}
	return n, err
}

func newParquetTable(r io.ReaderAt, size int64, closeAll func() error) (t *parquetTable, err error) {
	defer recoverDamage(&err, debug.SetPanicOnFault(true))
	const tailSize = 8 // the size of what describes the file, and the magic
	tail := make([]byte, tailSize)
	least := int64(len(parquetMagic) + tailSize)
	if size < least {
		return nil, errParquetBreaksOff
	}
	if _, err := r.ReadAt(tail, size-tailSize); err != nil {
		return nil, parquetError(err)
	}
	switch {
	case string(tail[4:]) != parquetMagic:
		return nil, errParquetBreaksOff
	case int64(binary.LittleEndian.Uint32(tail)) > size-least:
		return nil, errParquetDamaged
	}
	file, err := parquet.OpenFile(r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10))
	if err != nil {
		return nil, parquetError(err)
	}
	t = &parquetTable{file: file, closeAll: closeAll}
	var rows int64
	for _, group := range file.RowGroups() {
		rows += group.NumRows()
	}
	if rows != file.NumRows() {
		return nil, errParquetDamaged
	}
	for _, top := range file.Root().Columns() {
		if c := newParquetColumn(top); c != nil {
			t.names = append(t.names, top.Name())
			t.found = append(t.found, c)
		}
	}
	t.cells = make([][]byte, len(t.names))
	return t, nil
}

func (t *parquetTable) columns() []string { return t.names }

func (t *parquetTable) forms(all []form) {
	for i, c := range t.found {
		all[i] = c.form()
	}
}

// line counts rows: there are no lines.
func (t *parquetTable) line() int { return t.row }

func (t *parquetTable) next() (cells [][]byte, err error) {
	defer recoverDamage(&err, debug.SetPanicOnFault(true))
	for t.left == 0 {
		groups := t.file.RowGroups()
		if t.group == len(groups) {
			return nil, io.EOF
		}
		chunks := groups[t.group].ColumnChunks()
		described := t.file.Metadata().RowGroups[t.group].Columns
		t.left = groups[t.group].NumRows()
		t.group++
		for _, c := range t.asked {
			if err := checkPages(t.file, &described[c.leaf.Index()].MetaData); err != nil {
				return nil, parquetError(err)
			}
			c.begin(chunks[c.leaf.Index()])
		}
	}
	for _, c := range t.asked {
		if t.cells[c.at], err = c.next(); err != nil {
			return nil, parquetError(err)
		}
		if t.left == 1 && !c.ended() {
			return nil, errParquetDamaged
		}
	}
	t.left--
	t.row++
	return t.cells, nil
}

func (t *parquetTable) ask(columns []int) {
	for _, i := range columns {
		t.found[i].at = i
		t.asked = append(t.asked, t.found[i])
	}
}

func (t *parquetTable) close() error {
	for _, c := range t.asked {
		c.end()
	}
	return t.closeAll()
}

var (
	errParquetBreaksOff = errors.New("its Parquet data breaks off: the export is not complete")
	errParquetDamaged   = errors.New("its Parquet data is damaged: export it again")
)

// parquetError tells a disk that cannot be read from data that is damaged. What the
// library says of them is for programmers.
func parquetError(err error) error {
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return err
	case errors.Is(err, errors.ErrUnsupported):
		return fmt.Errorf("its Parquet data is of a kind that cannot be read: %w", err)
	}
	return errParquetDamaged
}

// recoverDamage is to be deferred around the library, which takes data for granted and
// panics, or reads past its end, where they are damaged. The latter panics too as long as
// [debug.SetPanicOnFault] says so; before is what it said.
func recoverDamage(err *error, before bool) {
	debug.SetPanicOnFault(before)
	if recover() != nil {
		*err = errParquetDamaged
	}
}
