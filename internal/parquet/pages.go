package parquet

import (
	"hash/crc32"
	"io"
	"sync"

	"github.com/parquet-go/bitpack"
	"github.com/parquet-go/parquet-go/format"
)

// Pages of up to this size are read whatever the sum says that stands beside them.
const maxPage = 16 << 20

// pages goes over the pages of a column chunk. What they say of their sizes is not taken for
// granted: one flipped bit would cost 2 GiB and more, and a container with less is killed.
type pages struct {
	file    io.ReaderAt
	chunk   *chunk
	scratch *sync.Pool // of *[]byte, for what is compressed
	at      int64      // where the next header is in the file,
	left    int64      // and how much of the chunk is there

	header *format.PageHeader // of the present page
	body   int64              // where the rest of it is
	plain  int64              // how much of that is not compressed
	start  []byte
}

// pagesOf returns the pages of a column chunk, as far as they are in the file.
func (t *File) pagesOf(group, leaf int) pages {
	chunk := &t.groups[group].Columns[leaf].MetaData
	at := chunk.DataPageOffset
	if chunk.DictionaryPageOffset != 0 {
		at = chunk.DictionaryPageOffset
	}
	left := min(chunk.TotalCompressedSize, t.size-at)
	if at < 0 {
		left = 0
	}
	return pages{file: t.source, chunk: chunk, scratch: &t.scratch, at: at, left: left}
}

// next goes on to the next page, of which the header is read, or returns io.EOF.
func (p *pages) next() error {
	if p.left <= 0 {
		return io.EOF
	}
	size, err := p.readHeader()
	if err != nil {
		return err
	}
	p.body = p.at + size
	p.left -= size
	if p.plain, err = checkHeader(p.header, p.chunk, p.left); err != nil {
		return err
	}
	p.at = p.body + int64(p.header.CompressedPageSize)
	p.left -= int64(p.header.CompressedPageSize)
	return nil
}

// readHeader reads the next header, and returns how long it is.
func (p *pages) readHeader() (size int64, err error) {
	// It is some 30 bytes long, and the least and the greatest of the page's values.
	for most := int64(512); most <= maxPage; most *= 8 {
		if p.start, err = p.readAt(p.start, p.at, min(most, p.left)); err != nil {
			return 0, err
		}
		p.header = new(format.PageHeader)
		if n, err := decode(p.start, p.header); err == nil {
			return int64(n), nil
		}
		if int64(len(p.start)) < most {
			break // there is no more
		}
	}
	return 0, errDamaged
}

// readAt reads bytes into the memory of dst.
func (p *pages) readAt(dst []byte, at, size int64) ([]byte, error) {
	dst = room(dst, int(size))
	if err := readAt(p.file, dst, at); err != nil {
		return dst[:0], err
	}
	return dst, nil
}

// read reads the present page into the memory of dst, and unpacks it.
func (p *pages) read(dst []byte) ([]byte, error) {
	size := int64(p.header.CompressedPageSize)
	if p.plain == size {
		dst, err := p.readAt(dst, p.body, size)
		if err == nil && !p.isSound(dst) {
			err = errDamaged
		}
		return dst, err
	}
	scratch, _ := p.scratch.Get().(*[]byte)
	if scratch == nil {
		scratch = new([]byte)
	}
	defer p.scratch.Put(scratch)
	packed, err := p.readAt(*scratch, p.body, size)
	if err != nil {
		return dst, err
	}
	*scratch = packed
	if !p.isSound(packed) {
		return dst, errDamaged
	}
	plain, text := int(p.plain), int(p.header.UncompressedPageSize)
	dst = room(dst, text+bitpack.PaddingInt32)[:text]
	copy(dst, packed[:plain])
	return dst, decompress(dst[plain:], packed[plain:], p.chunk.Codec)
}

// room returns n bytes, whatever they are: those of dst if there are so many.
func room(dst []byte, n int) []byte {
	if cap(dst) < n {
		dst = make([]byte, n+n/8) // the next page may be a little longer
	}
	return dst[:n]
}

// isSound reports whether a page has the checksum that it says it has.
func (p *pages) isSound(page []byte) bool {
	return p.header.CRC == 0 || uint32(p.header.CRC) == crc32.ChecksumIEEE(page)
}

// largestPage is how large a page of a chunk can be, and what is behind its compression.
func largestPage(chunk *chunk) int64 {
	return max(chunk.TotalUncompressedSize, maxPage)
}

// checkHeader looks at the sizes that a page says it has, if that much of its chunk is left. It
// returns how much of the page's beginning is not compressed.
func checkHeader(header *format.PageHeader, chunk *chunk, left int64) (plain int64, err error) {
	compressed, text := int64(header.CompressedPageSize), int64(header.UncompressedPageSize)
	if n := pageValues(header); compressed < 0 || compressed > left || text < 0 || text > largestPage(chunk) || n < 0 || n > chunk.NumValues {
		return 0, errDamaged
	}
	v2 := &header.DataPageHeaderV2
	if v2.Valid {
		repetitions, definitions := int64(v2.V.RepetitionLevelsByteLength), int64(v2.V.DefinitionLevelsByteLength)
		plain = repetitions + definitions
		if repetitions < 0 || definitions < 0 || plain > compressed || plain > text {
			return 0, errDamaged
		}
	}
	if is := v2.V.IsCompressed; chunk.Codec == format.Uncompressed || is.Valid && !is.V {
		plain = compressed
	}
	return plain, nil
}

// pageValues is how many values a page says that it has. Those of a dictionary are not
// values of the column.
func pageValues(header *format.PageHeader) int64 {
	switch {
	case header.DataPageHeader.Valid:
		return int64(header.DataPageHeader.V.NumValues)
	case header.DataPageHeaderV2.Valid:
		return int64(header.DataPageHeaderV2.V.NumValues)
	}
	return 0
}
