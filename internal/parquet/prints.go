package parquet

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/parquet-go/parquet-go/format"
	"github.com/zeebo/xxh3"
)

// Who looks for rows that are not what they were asks for prints: no text is made for them. A
// print depends on the values alone, whatever way they are stored: each value of a column has a
// hash, of what Parquet calls its plain form, and a row's print is the sum of them. Columns of
// booleans are hashed together, as bits of a word.

// sum is a hash of cells of a row: the sum of a hash for each, which depends on the column too.
// What is null adds nothing.
type sum struct{ high, low uint64 }

func (s *sum) add(other sum) { s.high, s.low = s.high+other.high, s.low+other.low }

// salt is what the hashes of a column depend on besides its values.
type salt struct{ high, low uint64 }

// newSalt returns one of many for a seed.
func newSalt(seed uint64, n int) salt {
	const far = 0x9e3779b97f4a7c15
	return salt{mix(seed + uint64(2*n+1)*far), mix(seed + uint64(2*n+2)*far)}
}

// word is the hash of a value of up to eight bytes. Two values never have the same.
func (s salt) word(w uint64) sum { return sum{mix(w ^ s.high), mix(w ^ s.low)} }

func (s salt) text(text []byte) sum {
	h := xxh3.Hash128Seed(text, s.high)
	return sum{h.Hi, h.Lo}
}

// mix is the finaliser of splitmix64: a permutation of all numbers that looks random.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// value is the hash of one of the values of a page.
func (s salt) value(v *values, n int) sum {
	switch text := v.bytes(n); v.size {
	case 4:
		return s.word(uint64(binary.LittleEndian.Uint32(text)))
	case 8:
		return s.word(binary.LittleEndian.Uint64(text))
	default:
		return s.text(text)
	}
}

// AskPrints has Print return the hash of the row that Next returned last, over all columns that
// were asked for. It is called before the first row.
func (t *File) AskPrints(seed uint64) { t.prints, t.seed = true, seed }

// salted gives each column its salt, and finds the later ones that are hashed together.
func (t *File) salted() (hashed [][]*column) {
	for _, c := range slices.Concat(t.asked, t.later) {
		c.salt = newSalt(t.seed, c.at)
	}
	var truths []*column
	for _, c := range t.later {
		if c.isTruth() {
			truths = append(truths, c)
		} else {
			hashed = append(hashed, []*column{c})
		}
	}
	return slices.AppendSeq(hashed, slices.Chunk(truths, wordBits))
}

// isTruth reports whether the column is one of booleans.
func (c *column) isTruth() bool { return !c.list && c.leaf.values.kind == format.Boolean }

// Print returns the hash of the row that Next returned last.
func (t *File) Print() [16]byte {
	s := t.batch.prints[t.at]
	return xxh3.Uint128{Hi: s.high, Lo: s.low}.Bytes()
}

// addPrints makes the prints of a batch. The cells of the first columns are read already.
func (t *File) addPrints(b *Batch, isLast bool) error {
	if t.hashed == nil {
		t.hashed = t.salted()
	}
	for worker := range t.sums {
		t.sums[worker] = slices.Grow(t.sums[worker][:0], b.Rows)[:b.Rows]
		clear(t.sums[worker])
	}
	if err := t.each(len(t.hashed), func(i, worker int) error {
		columns := t.hashed[i]
		add := columns[0].addPrints
		if columns[0].isTruth() {
			add = func(sums []sum) error { return addTruths(columns, sums) }
		}
		if err := add(t.sums[worker]); err != nil {
			return err
		}
		if isLast && slices.ContainsFunc(columns, func(c *column) bool { return !c.ended() }) {
			return errDamaged
		}
		return nil
	}); err != nil {
		return err
	}
	b.prints = append(b.prints[:0], t.sums[0]...)
	for _, sums := range t.sums[1:] {
		for row, s := range sums {
			b.prints[row].add(s)
		}
	}
	for _, c := range t.asked {
		for row := range b.prints {
			if text := b.Cells[c.at].Cell(row); text != nil {
				b.prints[row].add(c.salt.text(text))
			}
		}
	}
	return nil
}

// addPrints adds the hashes of the next rows' cells to sums.
func (c *column) addPrints(sums []sum) error {
	if c.list {
		return c.addLists(sums)
	}
	for len(sums) > 0 {
		if err := c.ready(); err != nil {
			return err
		}
		rows := min(len(sums), c.left, mostRows)
		if err := c.addPage(sums[:rows]); err != nil {
			return err
		}
		c.left -= rows
		sums = sums[rows:]
	}
	return nil
}

func (c *column) addLists(sums []sum) error {
	for row := range sums {
		if err := c.readList(); err != nil {
			return err
		}
		if len(c.cell) > 0 {
			sums[row].add(c.salt.text(c.cell))
		}
	}
	return nil
}

// addPage is addPrints for rows of the page.
func (c *column) addPage(sums []sum) error {
	levels := c.rowLevels(len(sums))
	if c.isIndexed {
		return c.addIndexes(sums, levels)
	}
	if levels == nil && c.values.size == 8 { // the same, but shorter
		data := c.values.data[8*c.used:][:8*len(sums)]
		for row := range sums {
			sums[row].add(c.salt.word(binary.LittleEndian.Uint64(data[8*row:])))
		}
		c.used += len(sums)
		return nil
	}
	for row := range sums {
		if levels == nil || levels[row] != 0 {
			sums[row].add(c.salt.value(&c.values, c.used))
			c.used++
		}
	}
	return nil
}

// addIndexes is addPage for values of the dictionary.
func (c *column) addIndexes(sums []sum, levels []byte) error {
	var buffer [mostRows]int32
	indexes := buffer[:present(levels, len(sums))]
	if err := c.indexes.read(indexes); err != nil {
		return err
	}
	hashes := c.dictionary.asHashes(c.salt)
	if levels == nil && len(hashes) > 0 { // the same, but shorter
		for row, entry := range indexes {
			if uint(entry) >= uint(len(hashes)) {
				return errDamaged
			}
			sums[row].add(hashes[entry])
		}
		return nil
	}
	for row := range sums {
		if levels != nil && levels[row] == 0 {
			continue
		}
		entry := indexes[0]
		indexes = indexes[1:]
		switch {
		case uint(entry) < uint(len(hashes)):
			sums[row].add(hashes[entry])
		case uint(entry) >= uint(c.dictionary.count):
			return errDamaged
		default: // there is no room
			sums[row].add(c.salt.value(&c.dictionary.values, int(entry)))
		}
	}
	return nil
}

// wordBits is how many columns of booleans are hashed together, and how many rows of them at a
// time.
const wordBits = 64

// addTruths adds the hashes of the next rows' booleans in some columns to sums: of a word that says
// which are true, and of one that says which are not null.
func addTruths(columns []*column, sums []sum) error {
	ofTruths, ofPresent := columns[0].salt, salt{columns[0].salt.low, columns[0].salt.high}
	for len(sums) > 0 {
		rows := min(wordBits, len(sums))
		var truths, present [wordBits]uint64 // of each column, then of each row
		for i, c := range columns {
			var err error
			if truths[i], present[i], err = c.nextTruths(rows); err != nil {
				return err
			}
		}
		transpose(&truths)
		transpose(&present)
		for row := range sums[:rows] {
			sums[row].add(ofTruths.word(truths[row]))
			sums[row].add(ofPresent.word(present[row]))
		}
		sums = sums[rows:]
	}
	return nil
}

// nextTruths returns a bit for each of the next rows: whether it is true, and whether it is not
// null.
func (c *column) nextTruths(rows int) (truths, present uint64, err error) {
	for done := 0; done < rows; {
		if err := c.ready(); err != nil {
			return 0, 0, err
		}
		n := min(rows-done, c.left)
		t, p, err := c.pageTruths(n)
		if err != nil {
			return 0, 0, err
		}
		truths |= t << done
		present |= p << done
		c.left -= n
		done += n
	}
	return truths, present, nil
}

// pageTruths is nextTruths for rows of the page.
func (c *column) pageTruths(rows int) (truths, present uint64, err error) {
	present = ^uint64(0) >> (wordBits - rows)
	if levels := c.rowLevels(rows); levels != nil {
		present = 0
		for row, level := range levels {
			present |= uint64(level) << row
		}
	}
	n := bits.OnesCount64(present)
	if n == rows && !c.isIndexed {
		truths = bitsAt(c.values.data, c.used, n)
		c.used += n
		return truths, present, nil
	}
	for left := present; left != 0; left &= left - 1 {
		v, err := c.nextValue()
		if err != nil {
			return 0, 0, err
		}
		if isTrue(v) {
			truths |= left & -left
		}
	}
	return truths, present, nil
}

// bitsAt returns n of the bits.
func bitsAt(bits []byte, from, n int) (word uint64) {
	text := bits[from/8 : (from+n+7)/8 : len(bits)]
	for i, b := range text[:min(8, len(text))] {
		word |= uint64(b) << (8 * i)
	}
	word >>= from % 8
	if len(text) > 8 {
		word |= uint64(text[8]) << (wordBits - from%8)
	}
	return word & (1<<n - 1)
}

// transpose makes the bits of a row those of a column.
func transpose(m *[wordBits]uint64) {
	mask := ^uint64(0) >> 32
	for j := 32; j != 0; j, mask = j>>1, mask^mask<<(j>>1) {
		for k := 0; k < wordBits; k = (k + j + 1) &^ j {
			swap := (m[k]>>j ^ m[k+j]) & mask
			m[k] ^= swap << j
			m[k+j] ^= swap
		}
	}
}
