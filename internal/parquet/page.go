package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

// ready has the next row be one of an open page, or returns io.EOF at the end of the row group.
func (c *column) ready() error {
	for c.left == 0 {
		if err := c.nextPage(); err != nil {
			return err
		}
	}
	if c.isOpen {
		return nil
	}
	c.isOpen = true
	return c.open()
}

// nextPage goes on to the next page with rows, which is not read before it is opened. The error is
// io.EOF at the end of the row group. A dictionary, which stands before the pages, is read.
func (c *column) nextPage() error {
	if err := c.pages.next(); err != nil {
		return err
	}
	switch header := c.header; {
	case header.Type == format.DataPage && header.DataPageHeader.Valid, header.Type == format.DataPageV2 && header.DataPageHeaderV2.Valid:
		c.left, c.isOpen = int(pageValues(header)), false
		return nil
	case header.Type == format.DictionaryPage && header.DictionaryPageHeader.Valid:
		return c.readDictionary(&header.DictionaryPageHeader.V)
	}
	return errDamaged
}

// plainDictionary is what older writers say of dictionaries, and of pages that refer to them.
//
//lint:ignore SA1019 what is not written any more is still read
const plainDictionary = format.PlainDictionary

func (c *column) readDictionary(header *format.DictionaryPageHeader) (err error) {
	if c.dictionary.count > 0 || header.NumValues < 0 {
		return errDamaged // the one of a column chunk stands at its beginning
	}
	if how := header.Encoding; how != format.Plain && how != plainDictionary {
		return fmt.Errorf("a dictionary encoded as %s: %w", how, errors.ErrUnsupported)
	}
	if c.dictionary.unpacked, err = c.pages.read(c.dictionary.unpacked); err != nil {
		return err
	}
	return c.dictionary.setPlain(c.dictionary.unpacked, int(header.NumValues))
}

// open unpacks the page, and finds its levels and its values.
func (c *column) open() (err error) {
	if c.unpacked, err = c.pages.read(c.unpacked); err != nil {
		return err
	}
	text := c.unpacked
	var repetitions, definitions []byte
	var how format.Encoding
	mayBeNull := c.defined > 0
	if c.header.Type == format.DataPageV2 {
		v2 := &c.header.DataPageHeaderV2.V
		repetitions, text = text[:v2.RepetitionLevelsByteLength], text[v2.RepetitionLevelsByteLength:]
		definitions, text = text[:v2.DefinitionLevelsByteLength], text[v2.DefinitionLevelsByteLength:]
		how, mayBeNull = v2.Encoding, mayBeNull && (c.list || v2.NumNulls != 0 || len(definitions) > 0)
	} else {
		v1 := &c.header.DataPageHeader.V
		if c.list {
			if repetitions, text, err = cutLevels(text, v1.RepetitionLevelEncoding); err != nil {
				return err
			}
		}
		if mayBeNull {
			if definitions, text, err = cutLevels(text, v1.DefinitionLevelEncoding); err != nil {
				return err
			}
		}
		how = v1.Encoding
	}
	if c.list {
		if c.repetitions, err = readLevels(c.repetitions, &hybrid{data: repetitions, width: 1}, c.left); err != nil {
			return err
		}
	}
	n := c.left
	if c.levels = nil; mayBeNull {
		if n, err = c.openLevels(definitions); err != nil {
			return err
		}
	}
	return c.openValues(text, n, how)
}

// openLevels reads the definition levels, and returns how many values the page has.
func (c *column) openLevels(text []byte) (values int, err error) {
	most := c.leaf.definition
	levels := hybrid{data: text, width: bits.Len(uint(most))}
	if !c.list {
		if err := levels.next(); err != nil {
			return 0, err
		}
		if levels.isAll(1, c.left) {
			return c.left, nil
		}
	}
	if c.spare, err = readLevels(c.spare, &levels, c.left); err != nil {
		return 0, err
	}
	if slices.Max(c.spare) > byte(most) {
		return 0, errDamaged
	}
	values = bytes.Count(c.spare, []byte{byte(most)})
	if c.list || values < c.left {
		c.levels = c.spare
	}
	return values, nil
}

// readLevels reads levels into the memory of dst.
func readLevels(dst []byte, levels *hybrid, n int) ([]byte, error) {
	dst = slices.Grow(dst[:0], n)
	for n > 0 {
		var buffer [mostRows]int32
		some := buffer[:min(n, mostRows)]
		if err := levels.read(some); err != nil {
			return dst, err
		}
		for _, level := range some {
			dst = append(dst, byte(level))
		}
		n -= len(some)
	}
	return dst, nil
}

// cutLevels takes levels off the front of a page of the first kind.
func cutLevels(text []byte, how format.Encoding) (levels, rest []byte, err error) {
	if how != format.RLE {
		return nil, nil, fmt.Errorf("levels encoded as %s: %w", how, errors.ErrUnsupported)
	}
	return cutRuns(text)
}

// cutRuns takes what a hybrid reads, and its length, off the front of a text.
func cutRuns(text []byte) (runs, rest []byte, err error) {
	if len(text) < 4 {
		return nil, nil, errDamaged
	}
	size := binary.LittleEndian.Uint32(text)
	if text = text[4:]; uint64(size) > uint64(len(text)) {
		return nil, nil, errDamaged
	}
	return text[:size], text[size:], nil
}

// openValues finds the values of the page.
func (c *column) openValues(text []byte, n int, how format.Encoding) error {
	c.used, c.isIndexed = 0, how == plainDictionary || how == format.RLEDictionary
	switch {
	case n == 0:
		return c.values.setPlain(nil, 0)
	case c.isIndexed:
		if len(text) == 0 || text[0] > 32 {
			return errDamaged
		}
		c.indexes = hybrid{data: text[1:], width: int(text[0])}
		return nil
	case how == format.RLE && c.values.kind == format.Boolean:
		runs, _, err := cutRuns(text)
		if err != nil {
			return err
		}
		if c.truths, err = packTruths(c.truths, &hybrid{data: runs, width: 1}, n); err != nil {
			return err
		}
		return c.values.setPlain(c.truths, n)
	case how == format.Plain:
		return c.values.setPlain(text, n)
	}
	return c.values.setEncoded(text, n, how)
}

// packTruths reads booleans into the memory of dst, as bits.
func packTruths(dst []byte, truths *hybrid, n int) ([]byte, error) {
	dst = dst[:0]
	for ; n > 0; n -= 8 {
		var eight [8]int32
		if err := truths.read(eight[:min(n, 8)]); err != nil {
			return dst, err
		}
		packed := byte(0)
		for i, is := range eight {
			packed |= byte(is) << i
		}
		dst = append(dst, packed)
	}
	return dst, nil
}
