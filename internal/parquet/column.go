package parquet

import (
	"io"
	"sync/atomic"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"

	"gleapsync/internal/cell"
)

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

	// Of the page. What stands in it is one of these three, as readRows knows, or a list's items:
	indexes  []int32         // of texts in the dictionary
	bits     []byte          // of booleans
	plain    encoding.Values // what stands for itself
	readRows func(*column, *Cells, int) error
	levels   []byte              // the definition levels of its rows; nil: none is null
	left     int                 // rows that are not read yet
	used     int                 // indexes, bits or values that are
	items    parquet.ValueReader // of lists

	source parquet.Dictionary // of the row group
	texts  *Texts             // of the dictionary, nil: there is no room for them
	looked bool               // there is room, or none
	taken  int64              // of room

	group int // that is being read, counted from 1,
	done  int // and how many of its rows were, where few are

	// For prints:
	salt       salt
	dictionary []sum // the hashes of its entries

	batch []parquet.Value // of the page's items
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
	c.page, c.indexes, c.bits, c.plain, c.readRows, c.levels, c.left, c.used = nil, nil, nil, encoding.Values{}, nil, nil, 0, 0
	c.items, c.ready = nil, nil
}

// nextPage goes on to the next page, or returns io.EOF at the end of the row group.
func (c *column) nextPage() error {
	c.endPage()
	page, err := c.pages.ReadPage()
	if err != nil {
		return err
	}
	c.page, c.left = page, int(page.NumValues())
	if c.list {
		c.items = page.Values()
		return nil
	}
	if page.NumNulls() > 0 {
		c.levels = page.DefinitionLevels()
	}
	data := page.Data()
	switch dictionary := page.Dictionary(); {
	case dictionary != nil:
		c.indexes, c.readRows, c.source = data.Int32(), (*column).readIndexes, dictionary
	case data.Kind() == encoding.Boolean:
		c.bits, c.readRows = data.Boolean(), (*column).readBits
	default:
		c.plain, c.readRows = data, (*column).readPlain
	}
	return nil
}

// look makes texts of the dictionary, if there is room for them. A row group has one at most.
func (c *column) look() {
	if c.looked {
		return
	}
	c.looked = true
	if !c.takeRoom() {
		return
	}
	c.texts = &Texts{IsDictionary: true, ends: make([]int, 0, c.source.Len())}
	for i := range int32(c.source.Len()) {
		c.texts.add(c.text, c.source.Index(i))
	}
}

// takeRoom takes room for the entries of the dictionary, if there is as much.
func (c *column) takeRoom() bool {
	entries := int64(c.source.Len())
	if c.room.Add(-entries) < 0 {
		c.room.Add(entries)
		return false
	}
	c.taken += entries
	return true
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

// readPlain reads cells of the page that stand for themselves.
func (c *column) readPlain(cells *Cells, rows int) error {
	cells.lookOwn()
	levels := c.rowLevels(rows)
	for row := range rows {
		entry := int32(-1)
		if levels == nil || int(levels[row]) == c.defined {
			cells.own.add(c.text, valueOf(&c.plain, c.used))
			c.used++
			entry = int32(cells.own.Len() - 1)
		}
		cells.Entries = append(cells.Entries, entry)
	}
	return nil
}

// valueOf returns one of the values of a page, valid as long as that is.
func valueOf(values *encoding.Values, n int) parquet.Value {
	switch values.Kind() {
	case encoding.Int32:
		return parquet.Int32Value(values.Int32()[n])
	case encoding.Int64:
		return parquet.Int64Value(values.Int64()[n])
	case encoding.Int96:
		return parquet.Int96Value(values.Int96()[n])
	case encoding.Float:
		return parquet.FloatValue(values.Float()[n])
	case encoding.Double:
		return parquet.DoubleValue(values.Double()[n])
	case encoding.FixedLenByteArray:
		text, size := values.FixedLenByteArray()
		return parquet.FixedLenByteArrayValue(text[n*size : (n+1)*size])
	default:
		text, offsets := values.ByteArray()
		return parquet.ByteArrayValue(text[offsets[n]:offsets[n+1]])
	}
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
