package parquet

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/zeebo/xxh3"
)

// Who looks for a few rows asks for few columns first, and for the rest of a row where it is one of
// them. Who looks for rows that are not what they were asks for prints: no text is made for them.

// Form is all that the cells of a row depend on besides what is stored of it: names and types.
func (t *File) Form() string {
	var form strings.Builder
	form.WriteString("parquet")
	for i, c := range t.found {
		fmt.Fprintf(&form, " %q %s %t", t.names[i], c.leaf.Type(), c.list)
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
}

// Rest returns all cells of the row that Next returned last. It is called before the next one, and
// not if there are prints.
func (t *File) Rest() ([][]byte, error) {
	row := t.begun + t.at
	err := t.each(t.later, func(c *column, _ int) error {
		cells := &t.batch.Cells[c.at]
		cells.reset()
		if err := c.skip(row - c.done); err != nil {
			return err
		}
		c.done = row + 1
		err := c.read(cells, 1)
		t.cells[c.at] = cells.Cell(0)
		return err
	})
	t.rested = true
	return t.cells, err
}

// finishLater passes over the rest of a row group, and checks that there is no more of it.
func (t *File) finishLater() error {
	if t.prints || t.group == 0 {
		return nil
	}
	return t.each(t.later, func(c *column, _ int) error {
		if err := c.skip(t.rows - c.done); err != nil {
			return err
		}
		if !c.ended() {
			return errDamaged
		}
		return nil
	})
}

// skip passes over the cells of n rows. The error is io.EOF if there are fewer.
func (c *column) skip(n int) error {
	for n > 0 {
		if c.list {
			if _, err := c.peek(); err != nil {
				return err
			}
			c.ready = c.ready[1:]
			for {
				v, err := c.peek()
				if err == io.EOF || err == nil && v.RepetitionLevel() == 0 {
					break
				}
				if err != nil {
					return err
				}
				c.ready = c.ready[1:]
			}
			n--
			continue
		}
		if c.left == 0 {
			if err := c.nextPage(); err != nil {
				return err
			}
			continue
		}
		rows := min(n, c.left)
		if c.values != nil {
			if _, err := c.peek(); err != nil {
				return err
			}
			rows = min(rows, len(c.ready))
			c.ready = c.ready[rows:]
		} else {
			c.used += c.present(rows)
		}
		c.left -= rows
		n -= rows
	}
	return nil
}

// present returns how many of the next rows of the page are not null.
func (c *column) present(rows int) int {
	levels := c.rowLevels(rows)
	if levels == nil {
		return rows
	}
	n := 0
	for _, level := range levels {
		if int(level) == c.defined {
			n++
		}
	}
	return n
}

// sum is a hash of cells of a row: the sum of a hash for each, which depends on the column too.
// What is null adds nothing.
type sum struct{ high, low uint64 }

func (s *sum) add(other sum) { s.high, s.low = s.high+other.high, s.low+other.low }

// AskPrints has Print return the hash of the row that Next returned last, over all columns that
// were asked for. It is called before the first row.
func (t *File) AskPrints(seed uint64) {
	t.prints = true
	for _, c := range slices.Concat(t.asked, t.later) {
		const far = 0x9e3779b97f4a7c15
		c.seed = seed + uint64(c.at+1)*far
	}
}

// Print returns the hash of the row that Next returned last.
func (t *File) Print() [16]byte {
	s := t.sums[0][t.at]
	return xxh3.Uint128{Hi: s.high, Lo: s.low}.Bytes()
}

// addPrints makes the prints of a batch. The cells of the first columns are read already.
func (t *File) addPrints(b *Batch, isLast bool) error {
	for worker := range t.sums {
		t.sums[worker] = slices.Grow(t.sums[worker][:0], b.Rows)[:b.Rows]
		clear(t.sums[worker])
	}
	for _, c := range t.asked {
		for row := range b.Rows {
			if text := b.Cells[c.at].Cell(row); text != nil {
				t.sums[0][row].add(c.hash(text))
			}
		}
	}
	if err := t.each(t.later, func(c *column, worker int) error {
		if err := c.addPrints(t.sums[worker]); err != nil {
			return err
		}
		if isLast && !c.ended() {
			return errDamaged
		}
		return nil
	}); err != nil {
		return err
	}
	for _, sums := range t.sums[1:] {
		for row, s := range sums {
			t.sums[0][row].add(s)
		}
	}
	return nil
}

func (c *column) hash(text []byte) sum {
	h := xxh3.Hash128Seed(text, c.seed)
	return sum{h.Hi, h.Lo}
}

// hashValue is the hash of a value as it is stored.
func (c *column) hashValue(v parquet.Value) sum {
	c.cell = v.AppendBytes(c.cell[:0])
	return c.hash(c.cell)
}

// addPrints adds the hashes of the next rows' cells to sums.
func (c *column) addPrints(sums []sum) error {
	for len(sums) > 0 {
		if c.list {
			v, err := c.peek()
			if err == nil {
				err = c.readList(v)
			}
			if err != nil {
				return err
			}
			if len(c.cell) > 0 {
				sums[0].add(c.hash(c.cell))
			}
			sums = sums[1:]
			continue
		}
		if c.left == 0 {
			if err := c.nextPage(); err != nil {
				return err
			}
			continue
		}
		rows := min(len(sums), c.left)
		if err := c.addPage(sums[:rows]); err != nil {
			return err
		}
		c.left -= rows
		sums = sums[rows:]
	}
	return nil
}

// addPage is addPrints for rows of the page.
func (c *column) addPage(sums []sum) error {
	if c.values != nil {
		for row := range sums {
			v, err := c.peek()
			if err != nil {
				return err
			}
			if !v.IsNull() {
				sums[row].add(c.hashValue(*v))
			}
			c.ready = c.ready[1:]
		}
		return nil
	}
	hashes := c.hashes()
	levels := c.rowLevels(len(sums))
	for row := range sums {
		if levels != nil && int(levels[row]) != c.defined {
			continue
		}
		var entry uint32
		if c.bits != nil {
			entry = uint32(c.bits[c.used/8] >> (c.used % 8) & 1)
		} else {
			entry = uint32(c.indexes[c.used])
		}
		c.used++
		switch {
		case int(entry) < len(hashes):
			sums[row].add(hashes[entry])
		case c.source == nil || int(entry) >= c.source.Len():
			return errDamaged
		default: // there is no room
			sums[row].add(c.hashValue(c.source.Index(int32(entry))))
		}
	}
	return nil
}

// hashes returns those of the dictionary, as far as there is room, or of false and true.
func (c *column) hashes() []sum {
	if c.bits != nil {
		if c.truths == nil {
			c.truths = []sum{c.hashValue(parquet.ValueOf(false)), c.hashValue(parquet.ValueOf(true))}
		}
		return c.truths
	}
	if c.looked || c.source == nil {
		return c.dictionary
	}
	c.looked = true
	entries := int64(c.source.Len())
	if c.room.Add(-entries) < 0 {
		c.room.Add(entries)
		return nil
	}
	c.taken += entries
	c.dictionary = make([]sum, entries)
	for i := range c.dictionary {
		c.dictionary[i] = c.hashValue(c.source.Index(int32(i)))
	}
	return c.dictionary
}
