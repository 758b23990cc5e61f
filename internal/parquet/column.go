package parquet

import (
	"bytes"
	"io"

	"github.com/parquet-go/parquet-go/format"

	"gleapsync/internal/cell"
)

// column reads the cells of one column, a row group at a time.
type column struct {
	at   int   // where its cells stand in a row
	leaf *node // the column itself, or that of a list's items
	text valueText
	list bool
	// The definition level from which on there is an item, or a value. One less: the list
	// is empty.
	defined int

	pages
	left     int    // rows of the present page, or items of lists, that are not read yet
	isOpen   bool   // it was unpacked,
	unpacked []byte // to here

	// Of the page, once it is open:
	levels      []byte // the definition levels of its rows or items; nil: none is null
	repetitions []byte // the repetition levels of lists' items
	isIndexed   bool   // its values are those of the dictionary
	indexes     hybrid // of these,
	values      values // or its own
	used        int    // how many of these were read

	dictionary dictionary // of the row group

	group int // that is being read, counted from 1,
	done  int // and how many of its rows were, where few are

	salt salt // for prints

	spare  []byte // for levels,
	truths []byte // and booleans that were not packed
	cell   []byte
}

// newColumn makes a column of one at the top of the schema: a value, or a list of
// values. It returns nil for what is neither, such as a map.
func newColumn(top *node) *column {
	c := &column{leaf: top}
	for {
		if c.leaf.isOptional || c.leaf.isRepeated {
			c.defined++
		}
		if c.leaf.isRepeated {
			c.list = true
			break
		}
		if !c.leaf.isGroup {
			break
		}
		if len(c.leaf.nodes) != 1 {
			return nil
		}
		c.leaf = c.leaf.nodes[0]
	}
	for c.leaf.isGroup {
		if len(c.leaf.nodes) != 1 {
			return nil
		}
		c.leaf = c.leaf.nodes[0]
	}
	if c.list && c.leaf.repetition != 1 || !c.list && c.leaf != top {
		return nil
	}
	if c.text = newValueText(c.leaf.values); c.text.append == nil {
		return nil
	}
	c.values, c.dictionary = newValues(c.leaf.values), newDictionary(c.leaf.values)
	return c
}

// form returns what the cells are.
func (c *column) form() cell.Form {
	if c.list {
		return cell.JSON
	}
	return c.text.form
}

// begin starts a row group.
func (c *column) begin(pages pages) {
	c.end()
	c.pages = pages
}

// end gives back what the present row group needed.
func (c *column) end() {
	c.dictionary.end()
	c.pages, c.left, c.done = pages{}, 0, 0
}

// mostRows is how many rows of a page are read at a time.
const mostRows = 256

// read reads the cells of n rows. The error is io.EOF if there are fewer.
func (c *column) read(cells *Cells, n int) error {
	if c.list {
		return c.readLists(cells, n)
	}
	for n > 0 {
		if err := c.ready(); err != nil {
			return err
		}
		rows := min(n, c.left, mostRows)
		var err error
		switch {
		case c.isIndexed:
			err = c.readIndexes(cells, rows)
		case c.values.kind == format.Boolean:
			c.readBits(cells, rows)
		default:
			c.readPlain(cells, rows)
		}
		if err != nil {
			return err
		}
		c.left -= rows
		n -= rows
	}
	return nil
}

// rowLevels returns the definition levels of the next rows of the page.
func (c *column) rowLevels(rows int) []byte {
	if c.levels == nil {
		return nil
	}
	at := len(c.levels) - c.left
	return c.levels[at : at+rows]
}

// readBits reads booleans of the page.
func (c *column) readBits(cells *Cells, rows int) {
	isSame := cells.look(&booleans)
	if !isSame {
		cells.lookOwn()
	}
	levels := c.rowLevels(rows)
	for row := range rows {
		entry := int32(-1)
		if levels == nil || levels[row] != 0 {
			entry = int32(c.values.data[c.used/8] >> (c.used % 8) & 1)
			if c.used++; !isSame {
				entry = cells.addOwn(booleans.Text(entry))
			}
		}
		cells.Entries = append(cells.Entries, entry)
	}
}

// readIndexes reads cells of the page that are texts of the dictionary.
func (c *column) readIndexes(cells *Cells, rows int) error {
	texts := c.dictionary.asTexts(c.text)
	isSame := texts != nil && cells.look(texts)
	if !isSame {
		cells.lookOwn()
	}
	levels := c.rowLevels(rows)
	var buffer [mostRows]int32
	indexes := buffer[:present(levels, rows)]
	if err := c.indexes.read(indexes); err != nil {
		return err
	}
	for row := range rows {
		entry := int32(-1)
		if levels == nil || levels[row] != 0 {
			entry, indexes = indexes[0], indexes[1:]
			if uint(entry) >= uint(c.dictionary.count) {
				return errDamaged
			}
			switch {
			case isSame:
			case texts != nil:
				entry = cells.addOwn(texts.Text(entry))
			default:
				cells.own.add(c.text, c.dictionary.value(int(entry)))
				entry = int32(cells.own.Len() - 1)
			}
		}
		cells.Entries = append(cells.Entries, entry)
	}
	return nil
}

// readPlain reads cells of the page that stand for themselves.
func (c *column) readPlain(cells *Cells, rows int) {
	cells.lookOwn()
	levels := c.rowLevels(rows)
	for row := range rows {
		entry := int32(-1)
		if levels == nil || levels[row] != 0 {
			cells.own.add(c.text, c.values.value(c.used))
			c.used++
			entry = int32(cells.own.Len() - 1)
		}
		cells.Entries = append(cells.Entries, entry)
	}
}

// present returns how many of some rows are not null.
func present(levels []byte, rows int) int {
	if levels == nil {
		return rows
	}
	return bytes.Count(levels, []byte{1})
}

// ended reports whether the row group has no further row.
func (c *column) ended() bool {
	for c.left == 0 {
		if err := c.nextPage(); err != nil {
			return err == io.EOF
		}
	}
	return false
}
