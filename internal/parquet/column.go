package parquet

import (
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"gleapsync/internal/cell"
)

// batchSize is how many values of a column are decoded at a time.
const batchSize = 256

// column reads the cells of one column, a row group at a time.
type column struct {
	at   int             // where its cells stand in a row
	leaf *parquet.Column // the column itself, or that of a list's items
	text valueText
	list bool
	// The definition level from which on there is an item, or a value. One less: the list
	// is empty.
	defined int

	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	batch  []parquet.Value // of the page
	ready  []parquet.Value // those of the batch that are not read yet
	cell   []byte
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
func (c *column) begin(chunk parquet.ColumnChunk) {
	c.end()
	c.pages = chunk.Pages()
}

// end gives back what the present row group needed.
func (c *column) end() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	if c.pages != nil {
		c.pages.Close()
	}
	c.pages, c.page, c.values, c.ready = nil, nil, nil, nil
}

// peek returns the next value, or io.EOF at the end of the row group.
func (c *column) peek() (*parquet.Value, error) {
	for len(c.ready) == 0 {
		if c.page == nil {
			page, err := c.pages.ReadPage()
			if err != nil {
				return nil, err
			}
			c.page, c.values = page, page.Values()
		}
		if c.batch == nil {
			c.batch = make([]parquet.Value, batchSize)
		}
		n, err := c.values.ReadValues(c.batch)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if c.ready = c.batch[:n]; n == 0 {
			parquet.Release(c.page)
			c.page, c.values = nil, nil
		}
	}
	return &c.ready[0], nil
}

// ended reports whether the row group has no further value.
func (c *column) ended() bool {
	_, err := c.peek()
	return err == io.EOF
}

// next returns the next cell, which is valid until it is called again.
func (c *column) next() ([]byte, error) {
	v, err := c.peek()
	if err != nil { // io.EOF too: a row is missing
		return nil, err
	}
	if v.RepetitionLevel() != 0 {
		return nil, errDamaged
	}
	switch {
	case c.list:
		err = c.readList(v)
	case v.IsNull():
		c.ready = c.ready[1:]
		return nil, nil
	default:
		c.cell = c.text.append(c.cell[:0], *v)
		c.ready = c.ready[1:]
	}
	return c.cell, err
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
