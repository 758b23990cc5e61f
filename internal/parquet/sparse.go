package parquet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Who looks for a few rows asks for few columns first, and for the rest of a row where it is one of
// them. While one batch is looked at, the next one is read.

// Form is all that the cells of a row depend on besides what is stored of it: names and types.
func (t *File) Form() string {
	var form strings.Builder
	form.WriteString("parquet")
	for i, c := range t.found {
		fmt.Fprintf(&form, " %q %s %t", t.names[i], c.leaf.values, c.list)
	}
	return form.String()
}

// AskFirst has Next return the cells of these columns only, nil for the others that were asked
// for. It is called before the first row.
func (t *File) AskFirst(columns []int) {
	all := t.asked
	t.asked = nil
	for _, c := range all {
		if slices.Contains(columns, c.at) {
			t.asked = append(t.asked, c)
		} else {
			t.later = append(t.later, c)
		}
	}
	t.filled = make(chan error, 1)
}

// AskRest says of which rows Rest will be called. wanted is called once for each row, with what
// Next will return, in the order of the rows and while others are looked at. AskRest is called
// before the first row, and after AskFirst.
func (t *File) AskRest(wanted func(cells [][]byte) bool) { t.wanted = wanted }

// HasRest reports whether the row that Next returned last was wanted.
func (t *File) HasRest() bool {
	_, ok := slices.BinarySearch(t.batch.whole, t.at)
	return ok
}

// Rest returns all cells of the row that Next returned last, valid until it is called again.
func (t *File) Rest() ([][]byte, error) {
	n, ok := slices.BinarySearch(t.batch.whole, t.at)
	if !ok {
		return nil, errors.New("the rest of a row was not asked for")
	}
	for _, c := range t.later {
		t.cells[c.at] = t.batch.Cells[c.at].Cell(n)
	}
	t.rested = true
	return t.cells, nil
}

// sparseRows is how many rows are read at a time where few are looked at as a whole.
const sparseRows = 1 << 13

// nextSparse has the next batch be the present one, and begins to read the one behind it.
func (t *File) nextSparse() error {
	if !t.began {
		t.began = true
		t.fill()
	}
	err := <-t.filled
	t.batch, t.ahead = t.ahead, t.batch
	if err != nil {
		t.filled <- err // for who asks again
		return err
	}
	t.fill()
	return nil
}

func (t *File) fill() {
	go func() { t.filled <- t.read(&t.ahead, sparseRows) }()
}

// readRests reads all cells of the rows that are wanted. Of a row group without any, the other
// columns are not even begun: whoever wants some rows has seen all of the file before.
func (t *File) readRests(b *Batch) error {
	b.whole = b.whole[:0]
	cells := make([][]byte, len(t.names))
	for row := range b.Rows {
		for _, c := range t.asked {
			cells[c.at] = b.Cells[c.at].Cell(row)
		}
		if t.wanted(cells) {
			b.whole = append(b.whole, row)
		}
	}
	if len(b.whole) == 0 {
		return nil
	}
	return t.each(len(t.later), func(i, _ int) error {
		c := t.later[i]
		if c.group != t.group {
			t.begin(c)
		}
		cells := &b.Cells[c.at]
		cells.reset()
		for _, row := range b.whole {
			row += t.begun
			if err := c.skip(row - c.done); err != nil {
				return err
			}
			c.done = row + 1
			if err := c.read(cells, 1); err != nil {
				return err
			}
		}
		return nil
	})
}

// skip passes over the cells of n rows. The error is io.EOF if there are fewer. A page of which no
// row is wanted is not read.
func (c *column) skip(n int) error {
	if c.list {
		return c.skipLists(n)
	}
	for n > 0 {
		if c.left == 0 {
			if err := c.nextPage(); err != nil {
				return err
			}
			continue
		}
		rows := min(n, c.left)
		if n -= rows; rows == c.left {
			c.left = 0
			continue
		}
		if err := c.ready(); err != nil {
			return err
		}
		values := present(c.rowLevels(rows), rows)
		c.used += values
		if c.left -= rows; c.isIndexed {
			if err := c.indexes.skip(values); err != nil {
				return err
			}
		}
	}
	return nil
}
