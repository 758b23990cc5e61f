package parquet

import (
	"encoding/json"
	"io"
	"sync/atomic"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"

	"gleapsync/internal/cell"
)

// batchSize is how many values of a column are decoded at a time where each is looked at.
const batchSize = 256

// mostEntries is how many texts of dictionaries are kept, of all columns of a file together. What a
// dictionary has beyond that is made again for each row.
const mostEntries = 1 << 19

// column reads the cells of one column, a row group at a time.
type column struct {
	at   int             // where its cells stand in a row
	leaf *parquet.Column // the column itself, or that of a list's items
	text valueText
	list bool
	// The definition level from which on there is an item, or a value. One less: the list
	// is empty.
	defined int
	room    *atomic.Int64 // see mostEntries

	pages parquet.Pages
	page  parquet.Page

	// Of the page. What stands in it is one of these three, as read knows:
	indexes  []int32             // of texts in the dictionary
	bits     []byte              // of booleans
	values   parquet.ValueReader // with those that are null
	readRows func(*column, *Cells, int) error
	levels   []byte // the definition levels of its rows; nil: none is null
	left     int    // rows that are not read yet
	used     int    // indexes or bits that are

	source parquet.Dictionary // of the row group
	texts  *Texts             // of the dictionary, nil: there is no room for them
	looked bool               // there is room, or none
	taken  int64              // of room

	done int // rows of the group, where they are not read in batches

	// For prints:
	seed       uint64
	dictionary []sum // of its texts
	truths     []sum // of false and true

	batch []parquet.Value // of the page's values
	ready []parquet.Value // those of the batch that are not read yet
	cell  []byte
}

// newColumn makes a column of one at the top of the schema: a value, or a list of
// values. It returns nil for what is neither, such as a map.
func newColumn(top *parquet.Column) *column {
	c := &column{leaf: top}
	for {
		if c.leaf.Optional() || c.leaf.Repeated() {
			c.defined++
		}
		if c.leaf.Repeated() {
			c.list = true
			break
		}
		if c.leaf.Leaf() {
			break
		}
		if len(c.leaf.Columns()) != 1 {
			return nil
		}
		c.leaf = c.leaf.Columns()[0]
	}
	for !c.leaf.Leaf() {
		if len(c.leaf.Columns()) != 1 {
			return nil
		}
		c.leaf = c.leaf.Columns()[0]
	}
	if c.list && c.leaf.MaxRepetitionLevel() != 1 || !c.list && c.leaf != top {
		return nil
	}
	if c.text = newValueText(c.leaf.Type()); c.text.append == nil {
		return nil
	}
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
func (c *column) begin(pages parquet.Pages) {
	c.end()
	c.pages = pages
}

// end gives back what the present row group needed.
func (c *column) end() {
	c.endPage()
	if c.pages != nil {
		c.pages.Close()
	}
	if c.taken > 0 {
		c.room.Add(c.taken)
	}
	c.pages, c.source, c.texts, c.looked, c.taken, c.done, c.dictionary = nil, nil, nil, false, 0, 0, nil
}

func (c *column) endPage() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	c.page, c.indexes, c.bits, c.values, c.readRows, c.levels, c.ready, c.left, c.used = nil, nil, nil, nil, nil, nil, nil, 0, 0
}

// nextPage goes on to the next page, or returns io.EOF at the end of the row group.
func (c *column) nextPage() error {
	c.endPage()
	page, err := c.pages.ReadPage()
	if err != nil {
		return err
	}
	c.page, c.left, c.levels = page, int(page.NumValues()), page.DefinitionLevels()
	if c.defined == 0 {
		c.levels = nil
	}
	data := page.Data()
	switch dictionary := page.Dictionary(); {
	case c.list:
		c.values = page.Values()
	case dictionary != nil:
		c.indexes, c.readRows, c.source = data.Int32(), (*column).readIndexes, dictionary
	case data.Kind() == encoding.Boolean:
		c.bits, c.readRows = data.Boolean(), (*column).readBits
	default:
		c.values, c.readRows = page.Values(), (*column).readValues
	}
	return nil
}

// look makes texts of the dictionary, if there is room for them. A row group has one at most.
func (c *column) look() {
	if c.looked {
		return
	}
	c.looked = true
	entries := int64(c.source.Len())
	if c.room.Add(-entries) < 0 {
		c.room.Add(entries)
		return
	}
	c.taken += entries
	c.texts = &Texts{IsDictionary: true, ends: make([]int, 0, entries)}
	for i := range int32(entries) {
		c.texts.add(c.text, c.source.Index(i))
	}
}

// read reads the cells of n rows. The error is io.EOF if there are fewer.
func (c *column) read(cells *Cells, n int) error {
	if c.list {
		return c.readLists(cells, n)
	}
	for n > 0 {
		if c.left == 0 {
			if err := c.nextPage(); err != nil {
				return err
			}
			continue
		}
		rows := min(n, c.left)
		if err := c.readRows(c, cells, rows); err != nil {
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
func (c *column) readBits(cells *Cells, rows int) error {
	isSame := cells.look(&booleans)
	if !isSame {
		cells.lookOwn()
	}
	levels := c.rowLevels(rows)
	for row := range rows {
		entry := int32(-1)
		if levels == nil || int(levels[row]) == c.defined {
			entry = int32(c.bits[c.used/8] >> (c.used % 8) & 1)
			if c.used++; !isSame {
				entry = cells.addOwn(booleans.Text(entry))
			}
		}
		cells.Entries = append(cells.Entries, entry)
	}
	return nil
}

// readIndexes reads cells of the page that are texts of the dictionary.
func (c *column) readIndexes(cells *Cells, rows int) error {
	c.look()
	levels := c.rowLevels(rows)
	isSame := c.texts != nil && cells.look(c.texts)
	if !isSame {
		cells.lookOwn()
	}
	most := uint32(c.source.Len())
	for row := range rows {
		entry := int32(-1)
		if levels == nil || int(levels[row]) == c.defined {
			entry = c.indexes[c.used]
			c.used++
			if uint32(entry) >= most {
				return errDamaged
			}
			switch {
			case isSame:
			case c.texts != nil:
				entry = cells.addOwn(c.texts.Text(entry))
			default:
				cells.own.add(c.text, c.source.Index(entry))
				entry = int32(cells.own.Len() - 1)
			}
		}
		cells.Entries = append(cells.Entries, entry)
	}
	return nil
}

// readValues reads cells of the page one by one.
func (c *column) readValues(cells *Cells, rows int) error {
	cells.lookOwn()
	for range rows {
		v, err := c.peek()
		if err != nil {
			return err
		}
		entry := int32(-1)
		if !v.IsNull() {
			cells.own.add(c.text, *v)
			entry = int32(cells.own.Len() - 1)
		}
		cells.Entries = append(cells.Entries, entry)
		c.ready = c.ready[1:]
	}
	return nil
}

// readLists reads lists, which may go over several pages.
func (c *column) readLists(cells *Cells, rows int) error {
	cells.lookOwn()
	for range rows {
		v, err := c.peek()
		if err == nil && v.RepetitionLevel() != 0 {
			err = errDamaged
		}
		if err == nil {
			err = c.readList(v)
		}
		if err != nil {
			return err
		}
		entry := int32(-1)
		if len(c.cell) > 0 { // else it is null
			entry = cells.addOwn(c.cell)
		}
		cells.Entries = append(cells.Entries, entry)
	}
	return nil
}

// peek returns the next of the values, or io.EOF at the end: of lists that of the row group, else
// of the page.
func (c *column) peek() (*parquet.Value, error) {
	for len(c.ready) == 0 {
		if c.values == nil {
			if err := c.nextPage(); err != nil {
				return nil, err
			}
		}
		if c.batch == nil {
			c.batch = make([]parquet.Value, batchSize)
		}
		n, err := c.values.ReadValues(c.batch)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if c.ready = c.batch[:n]; n == 0 {
			if !c.list {
				return nil, io.EOF
			}
			c.endPage()
		}
	}
	return &c.ready[0], nil
}

// ended reports whether the row group has no further row.
func (c *column) ended() bool {
	if c.list {
		_, err := c.peek()
		return err == io.EOF
	}
	for c.left == 0 {
		if err := c.nextPage(); err != nil {
			return err == io.EOF
		}
	}
	return false
}

// readList reads a list as JSON. Its first value is v.
func (c *column) readList(v *parquet.Value) error {
	c.cell = c.cell[:0]
	if level := v.DefinitionLevel(); level < c.defined {
		if level == c.defined-1 {
			c.cell = append(c.cell, "[]"...)
		}
		c.ready = c.ready[1:]
		return nil
	}
	separator := byte('[')
	for {
		c.cell = append(c.cell, separator)
		c.cell = c.text.appendJSON(c.cell, *v)
		separator = ','
		c.ready = c.ready[1:]
		var err error
		v, err = c.peek()
		if err == io.EOF || err == nil && v.RepetitionLevel() == 0 {
			c.cell = append(c.cell, ']')
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// appendJSON appends an item of a list.
func (t valueText) appendJSON(dst []byte, v parquet.Value) []byte {
	if v.IsNull() {
		return append(dst, "null"...)
	}
	from := len(dst)
	dst = t.append(dst, v)
	if t.form == cell.Number && cell.IsNotFinite(dst[from:]) {
		return append(dst[:from], "null"...)
	}
	if text := dst[from:]; (t.form == cell.Text || !json.Valid(text)) && utf8.Valid(text) {
		quoted, _ := json.Marshal(string(text)) // of a string it has no error
		dst = append(dst[:from], quoted...)
	}
	return dst // what is not UTF-8 is found where all cells are read
}
