package parquet

import (
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Pages of up to this size are read whatever the sum says that stands beside them.
const maxPage = 16 << 20

// pagesOf returns the pages of a column chunk.
func (t *File) pagesOf(group, leaf int) (parquet.Pages, error) {
	chunk := &t.said.RowGroups[group].Columns[leaf].MetaData
	pages := t.file.RowGroups()[group].ColumnChunks()[leaf].(*parquet.FileColumnChunk)
	if chunk.Codec == format.Lz4Raw {
		return pages.PagesFrom(newLZ4Pages(t.file, chunk)), nil
	}
	if err := checkPages(t.file, chunk); err != nil {
		return nil, err
	}
	return pages.Pages(), nil
}

// firstPage is where the pages of a column chunk begin.
func firstPage(chunk *format.ColumnMetaData) int64 {
	if chunk.DictionaryPageOffset != 0 {
		return chunk.DictionaryPageOffset
	}
	return chunk.DataPageOffset
}

// checkPages reads what the pages of a column chunk say of their sizes. The library takes
// that for granted and asks for as much memory, so that one flipped bit costs 2 GiB and
// more, and a container with less is killed.
func checkPages(r io.ReaderAt, chunk *format.ColumnMetaData) error {
	at := firstPage(chunk)
	for left := chunk.TotalCompressedSize; left > 0; {
		header, size, err := readPageHeader(r, at, left)
		if err != nil {
			return err
		}
		at += size
		left -= size
		plain, err := checkHeader(header, chunk, left)
		if err != nil {
			return err
		}
		compressed := int64(header.CompressedPageSize)
		body := io.NewSectionReader(r, at+plain, compressed-plain)
		if err := checkCompression(body, chunk.Codec, largestPage(chunk)); err != nil {
			return err
		}
		at += compressed
		left -= compressed
	}
	return nil
}

// largestPage is how large a page of a chunk can be, and what is behind its compression.
func largestPage(chunk *format.ColumnMetaData) int64 {
	return max(chunk.TotalUncompressedSize, maxPage)
}

// checkHeader looks at the sizes that a page says it has, if that much of its chunk is left. It
// returns how much of the page's beginning is not compressed.
func checkHeader(header *format.PageHeader, chunk *format.ColumnMetaData, left int64) (plain int64, err error) {
	compressed, text := int64(header.CompressedPageSize), int64(header.UncompressedPageSize)
	if compressed < 0 || compressed > left || text < 0 || text > largestPage(chunk) || pageValues(header) > chunk.NumValues {
		return 0, errDamaged
	}
	if v2 := header.DataPageHeaderV2; v2.Valid {
		repetitions, definitions := int64(v2.V.RepetitionLevelsByteLength), int64(v2.V.DefinitionLevelsByteLength)
		plain = repetitions + definitions
		if repetitions < 0 || definitions < 0 || plain > compressed || plain > text {
			return 0, errDamaged
		}
		if is := v2.V.IsCompressed; is.Valid && !is.V {
			plain = compressed
		}
	}
	return plain, nil
}

// readPageHeader reads the header at an offset, and returns how long it is. It is part of
// what is left.
func readPageHeader(r io.ReaderAt, at, left int64) (header *format.PageHeader, size int64, err error) {
	// It is some 30 bytes long, and the least and the greatest of the page's values.
	for most := int64(512); most <= maxPage; most *= 8 {
		text, err := readStart(io.NewSectionReader(r, at, left), most)
		if err != nil {
			return nil, 0, err
		}
		header = new(format.PageHeader)
		reader := new(thrift.CompactProtocol).NewReaderFromBytes(text)
		err = thrift.NewDecoder(reader).Decode(header)
		if err == nil {
			return header, int64(reader.BytesRead()), nil
		}
		if int64(len(text)) < most {
			break // there is no more
		}
	}
	return nil, 0, errDamaged
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

// checkCompression reads how much text there is behind the compression of a page.
func checkCompression(body *io.SectionReader, codec format.CompressionCodec, limit int64) error {
	if body.Size() == 0 {
		return nil
	}
	switch codec {
	case format.Snappy:
		start, err := readStart(body, binary.MaxVarintLen64)
		if err != nil {
			return err
		}
		if says, n := binary.Uvarint(start); n <= 0 || says > uint64(limit) {
			return errDamaged
		}
	case format.Zstd:
		start, err := readStart(body, zstd.HeaderMaxSize)
		if err != nil {
			return err
		}
		var frame zstd.Header
		if frame.Decode(start) != nil || frame.HasFCS && frame.FrameContentSize > uint64(limit) {
			return errDamaged
		}
	}
	return nil
}

// readStart reads the first bytes of r, or all if there are less.
func readStart(r io.Reader, most int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, most))
}
