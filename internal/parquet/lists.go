package parquet

import (
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"gleapsync/internal/cell"
)

// batchSize is how many items of lists are decoded at a time.
const batchSize = 256

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

// peek returns the next of the items, or io.EOF at the end of the row group.
func (c *column) peek() (*parquet.Value, error) {
	for len(c.ready) == 0 {
		if c.items == nil {
			if err := c.nextPage(); err != nil {
				return nil, err
			}
		}
		if c.batch == nil {
			c.batch = make([]parquet.Value, batchSize)
		}
		n, err := c.items.ReadValues(c.batch)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if c.ready = c.batch[:n]; n == 0 {
			c.endPage()
		}
	}
	return &c.ready[0], nil
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
