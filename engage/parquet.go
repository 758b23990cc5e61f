package engage

import (
	"io"
	"sync"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/parquet"
	"gleapsync/internal/table"
	"gleapsync/internal/values"
)

// batchRows is how many rows of Parquet a stretch has.
const batchRows = 1 << 10

// parquetCutter cuts Parquet. It decodes the cells, of all columns at a time; what is left for who
// reads the stretch is to make values of them.
type parquetCutter struct {
	file   *table.Parquet
	layout *layout
	made   []*madeValues // for each attribute, those of the last stretch
}

func (c *parquetCutter) cut(s *stretch) (bool, error) {
	rows, ok := s.table.(*parquetRows)
	if !ok {
		rows = &parquetRows{fields: make([][]byte, len(c.file.Columns())), columns: make([]columnValues, len(c.made))}
		s.table = rows
	}
	if err := c.file.ReadBatch(&rows.batch, batchRows); err == io.EOF {
		return false, nil
	} else if err != nil {
		return false, err
	}
	for i := range c.made {
		column := c.layout.cells[i].column
		if column < 0 {
			continue
		}
		cells := &rows.batch.Cells[column]
		rows.columns[i] = columnValues{cells: cells}
		if cells.Texts.IsDictionary {
			if c.made[i] == nil || c.made[i].of != cells.Texts {
				c.made[i] = &madeValues{of: cells.Texts}
			}
			rows.columns[i].made = c.made[i]
		}
	}
	rows.asked = c.layout.others(len(c.made))
	rows.Rewind()
	return true, nil
}

// parquetRows are rows of a Parquet file as a table. It has those cells only that attributes are
// not made of: it has their values.
type parquetRows struct {
	batch   parquet.Batch
	at      int
	asked   []int // columns
	fields  [][]byte
	columns []columnValues // for each attribute

	// Values are made for some rows at a time, column by column: what one column needs stays in
	// the processor's cache meanwhile.
	values []attr.Value
	from   int   // the first of these rows
	alone  []int // cells of the layout that are none of these values
	taken  []int // rows whose values were
}

// valueRows is for how many rows values are made at a time.
const valueRows = 16

func (t *parquetRows) Rewind() { t.at, t.from, t.taken = t.batch.Begin-1, -valueRows, t.taken[:0] }

func (t *parquetRows) Next() ([][]byte, error) {
	if t.at++; t.at >= t.batch.Rows {
		return nil, io.EOF
	}
	for _, column := range t.asked {
		t.fields[column] = t.batch.Cells[column].Cell(t.at)
	}
	return t.fields, nil
}

func (t *parquetRows) Line() int { return t.batch.First + t.at }

// take returns the values of the row, without those that are alone.
func (t *parquetRows) take(r *rowReader) []attr.Value {
	width := len(r.layout.cells)
	if t.at >= t.from+valueRows {
		if t.values == nil {
			t.values = make([]attr.Value, valueRows*width)
		}
		if t.from < 0 {
			t.prepare(r)
		}
		t.from = t.at
		to := min(t.at+valueRows, t.batch.Rows)
		for i := range t.columns {
			if c := &t.columns[i]; c.made != nil {
				for row, entry := range c.cells.Entries[t.from:to] {
					v := &t.values[row*width+i]
					if *v = (attr.Value{}); entry >= 0 { // null says nothing
						*v = c.made.values[entry]
					}
				}
			}
		}
	}
	t.taken = append(t.taken, t.at)
	at := (t.at - t.from) * width
	return t.values[at : at+width]
}

// prepare makes the values of dictionaries, and finds the cells that are alone: those that are not
// of one, and those of one with invalid values, which are counted.
func (t *parquetRows) prepare(r *rowReader) {
	t.alone = t.alone[:0]
	for i := range r.layout.cells {
		if i < len(t.columns) && t.columns[i].made != nil {
			c := &t.columns[i]
			a, form := &r.export.Attributes[i], r.forms[r.layout.cells[i].column]
			if c.made.once.Do(func() { c.made.make(a, form) }); !c.made.invalid {
				continue
			}
			c.made = nil
		}
		t.alone = append(t.alone, i)
	}
}

// end has the attributes' types learn of the values that were taken.
func (t *parquetRows) end(r *rowReader) {
	for i := range t.columns {
		c, fits := &t.columns[i], &r.result.Attributes[i].Fits
		if c.made == nil {
			continue
		}
		for _, row := range t.taken {
			if *fits == c.made.allFits {
				break
			}
			if entry := c.cells.Entries[row]; entry >= 0 {
				fits.Add(c.made.fits[entry])
			}
		}
	}
}

// columnValues are the cells that an attribute is made of.
type columnValues struct {
	cells *parquet.Cells // nil: there are none
	made  *madeValues    // nil: no dictionary
}

// madeValues is what was made of the texts of a dictionary, by who needed it first.
type madeValues struct {
	of      *parquet.Texts
	once    sync.Once
	values  []attr.Value
	fits    []values.Fits
	allFits values.Fits
	invalid bool // some of them are
}

func (m *madeValues) make(a *Attribute, form cell.Form) {
	m.values, m.fits = make([]attr.Value, m.of.Len()), make([]values.Fits, m.of.Len())
	for i := range m.values {
		var reason string
		m.values[i], reason = a.Value(values.Said(form, m.of.Text(int32(i))), &m.fits[i])
		m.invalid = m.invalid || reason != ""
		m.allFits.Add(m.fits[i])
	}
}
