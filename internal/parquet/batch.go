package parquet

import (
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
)

// Batch is rows that follow each other, column by column.
type Batch struct {
	Rows  int
	Begin int     // those before it Next has returned
	First int     // the number of the first row, counted from 1
	Cells []Cells // by column, empty where one was not asked for

	prints []sum // of the rows, if they were asked for
	whole  []int // rows of which all cells were read: those of the later columns have these only
}

// Cells are those of one column in the rows of a batch.
type Cells struct {
	Entries []int32 // of each row, the number of its text; -1: the cell is null
	Texts   *Texts
	own     Texts
}

// Cell returns the cell of a row, nil if it is null.
func (c *Cells) Cell(row int) []byte {
	if len(c.Entries) == 0 || c.Entries[row] < 0 {
		return nil
	}
	if text := c.Texts.Text(c.Entries[row]); text != nil {
		return text
	}
	return []byte{} // of texts that are all empty
}

// Texts are the texts of cells. They are those of a dictionary if other batches may have the
// same ones.
type Texts struct {
	IsDictionary bool
	bytes        []byte
	ends         []int
}

// Len returns how many texts there are.
func (t *Texts) Len() int { return len(t.ends) }

// Text returns the text of a number.
func (t *Texts) Text(n int32) []byte {
	from := 0
	if n > 0 {
		from = t.ends[n-1]
	}
	end := t.ends[n]
	return t.bytes[from:end:end]
}

func (t *Texts) add(text valueText, v []byte) {
	t.bytes = text.append(t.bytes, v)
	t.ends = append(t.ends, len(t.bytes))
}

// booleans is the dictionary of all columns of booleans.
var booleans = Texts{IsDictionary: true, bytes: []byte("falsetrue"), ends: []int{len("false"), len("falsetrue")}}

func (c *Cells) reset() {
	c.Entries, c.Texts = c.Entries[:0], nil
	c.own.bytes, c.own.ends = c.own.bytes[:0], c.own.ends[:0]
}

// look has the cells that are added next be texts of a dictionary, if all before are. It reports
// false if they are to be added by addText.
func (c *Cells) look(dictionary *Texts) bool {
	if len(c.Entries) == 0 {
		c.Texts = dictionary
	}
	return c.Texts == dictionary
}

// lookOwn has the cells that are added next be texts of their own.
func (c *Cells) lookOwn() {
	if c.Texts == &c.own {
		return
	}
	for row, entry := range c.Entries {
		if entry >= 0 {
			c.Entries[row] = c.addOwn(c.Texts.Text(entry))
		}
	}
	c.Texts = &c.own
}

func (c *Cells) addOwn(text []byte) int32 {
	c.own.bytes = append(c.own.bytes, text...)
	c.own.ends = append(c.own.ends, len(c.own.bytes))
	return int32(len(c.own.ends) - 1)
}

// ReadBatch reads the next rows, most of them at most, into b. The error is io.EOF after the last.
// Columns are decoded on all processors.
func (t *File) ReadBatch(b *Batch, most int) error {
	if t.at+1 < t.batch.Rows {
		*b, t.batch = t.batch, *b
		b.Begin, t.at, t.batch.Rows = t.at+1, 0, 0
		return nil
	}
	b.Begin = 0
	return t.read(b, most)
}

func (t *File) read(b *Batch, most int) error {
	if t.failed == nil {
		t.failed = t.readBatch(b, most)
	}
	return t.failed
}

func (t *File) readBatch(b *Batch, most int) error {
	for t.left == 0 {
		if t.group == len(t.groups) {
			return io.EOF
		}
		t.left, t.begun = t.groups[t.group].NumRows, 0
		t.group++
		columns := t.asked
		if t.prints {
			columns = slices.Concat(t.asked, t.later)
		}
		for _, c := range columns {
			t.begin(c)
		}
	}
	if b.Cells == nil {
		b.Cells = make([]Cells, len(t.names))
	}
	b.Rows, b.First = int(min(t.left, int64(most))), t.row+1
	isLast := int64(b.Rows) == t.left
	if err := t.each(len(t.asked), func(i, _ int) error {
		c := t.asked[i]
		cells := &b.Cells[c.at]
		cells.reset()
		if err := c.read(cells, b.Rows); err != nil { // io.EOF too: a row is missing
			return err
		}
		if isLast && !c.ended() {
			return errDamaged
		}
		return nil
	}); err != nil {
		return err
	}
	switch {
	case t.prints:
		if err := t.addPrints(b, isLast); err != nil {
			return err
		}
	case t.wanted != nil:
		if err := t.readRests(b); err != nil {
			return err
		}
	}
	t.begun += b.Rows
	t.left -= int64(b.Rows)
	t.row += b.Rows
	return nil
}

// begin has a column begin with the present row group.
func (t *File) begin(c *column) {
	c.begin(t.pagesOf(t.group-1, c.leaf.index))
	c.group = t.group
}

// each calls do with each number below n, on all processors: it is told on which of them.
func (t *File) each(n int, do func(i, worker int) error) error {
	errs := make([]error, n)
	var next atomic.Int32
	work := func(worker int) {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			errs[i] = guarded(do, i, worker)
		}
	}
	var others sync.WaitGroup
	for worker := 1; worker < min(t.workers, n); worker++ {
		others.Go(func() { work(worker) })
	}
	work(0)
	others.Wait()
	for _, err := range errs {
		if err != nil {
			return readError(err)
		}
	}
	return nil
}

func guarded(do func(i, worker int) error, i, worker int) (err error) {
	defer recoverDamage(&err, debug.SetPanicOnFault(true))
	return do(i, worker)
}
