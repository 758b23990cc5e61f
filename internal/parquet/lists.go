package parquet

import (
	"encoding/json"
	"io"
	"unicode/utf8"

	"gleapsync/internal/cell"
)

// readLists reads lists, which may go over several pages.
func (c *column) readLists(cells *Cells, rows int) error {
	cells.lookOwn()
	for range rows {
		if err := c.readList(); err != nil {
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

// readList reads a list as JSON.
func (c *column) readList() error {
	c.cell = c.cell[:0]
	separator := byte('[')
	err := c.eachItem(func(v []byte, level byte) {
		switch {
		case int(level) >= c.defined:
			c.cell = append(c.cell, separator)
			if separator = ','; int(level) == c.leaf.definition {
				c.cell = c.text.appendJSON(c.cell, v)
			} else {
				c.cell = append(c.cell, "null"...)
			}
		case int(level) == c.defined-1:
			c.cell = append(c.cell, "[]"...)
		}
	})
	if separator == ',' {
		c.cell = append(c.cell, ']')
	}
	return err
}

// eachItem calls do with the items of the next row's list, and with their definition levels, which say
// what is null. Of a list without any there is one, which is null.
func (c *column) eachItem(do func(v []byte, level byte)) error {
	for isFirst := true; ; isFirst = false {
		isNext, err := c.isNextRow()
		switch {
		case err == io.EOF && !isFirst:
			return nil
		case err != nil:
			return err
		case isNext && !isFirst:
			return nil
		case isFirst && !isNext:
			return errDamaged
		}
		level := c.levels[len(c.levels)-c.left]
		c.left--
		var v []byte
		if int(level) == c.leaf.definition {
			if v, err = c.nextValue(); err != nil {
				return err
			}
		}
		do(v, level)
	}
}

// isNextRow reports whether the next item is the first of a row. The error is io.EOF at the end of
// the row group.
func (c *column) isNextRow() (bool, error) {
	if err := c.ready(); err != nil {
		return false, err
	}
	return c.repetitions[len(c.repetitions)-c.left] == 0, nil
}

// nextValue returns the next value of the page, valid as long as that is.
func (c *column) nextValue() ([]byte, error) {
	if !c.isIndexed {
		c.used++
		return c.values.value(c.used - 1), nil
	}
	var index [1]int32
	if err := c.indexes.read(index[:]); err != nil {
		return nil, err
	}
	if uint(index[0]) >= uint(c.dictionary.count) {
		return nil, errDamaged
	}
	return c.dictionary.value(int(index[0])), nil
}

// skipLists passes over the lists of n rows.
func (c *column) skipLists(n int) error {
	for range n {
		if err := c.eachItem(func([]byte, byte) {}); err != nil {
			return err
		}
	}
	return nil
}

// appendJSON appends an item of a list.
func (t valueText) appendJSON(dst, v []byte) []byte {
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
