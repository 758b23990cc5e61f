package parquet

import (
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// Pages of up to this size are read whatever the sum says that stands beside them.
const maxPage = 16 << 20

// checkPages reads what the pages of a column chunk say of their sizes. The library takes
// that for granted and asks for as much memory, so that one flipped bit costs 2 GiB and
// more, and a container with less is killed. No page can be larger than all of its chunk,
// and what is behind its compression not larger than the page.
func checkPages(r io.ReaderAt, chunk *format.ColumnMetaData) error {
	at := chunk.DataPageOffset
	if chunk.DictionaryPageOffset != 0 {
		at = chunk.DictionaryPageOffset
	}
	limit := max(chunk.TotalUncompressedSize, maxPage)
	for left := chunk.TotalCompressedSize; left > 0; {
		header, size, err := readPageHeader(r, at, left)
		if err != nil {
			return err
		}
		compressed, text := int64(header.CompressedPageSize), int64(header.UncompressedPageSize)
		at += size
		left -= size
		if compressed < 0 || compressed > left || text < 0 || text > limit || pageValues(header) > chunk.NumValues {
			return errDamaged
		}
		levels := int64(0) // of a page of the second version: they are not compressed
		if v2 := header.DataPageHeaderV2; v2.Valid {
			levels = int64(v2.V.RepetitionLevelsByteLength) + int64(v2.V.DefinitionLevelsByteLength)
			if levels < 0 || levels > compressed || levels > text {
				return errDamaged
			}
			if plain := v2.V.IsCompressed; plain.Valid && !plain.V {
				levels = compressed
			}
		}
		body := io.NewSectionReader(r, at+levels, compressed-levels)
		if err := checkCompression(body, chunk.Codec, text-levels, limit); err != nil {
			return err
		}
		at += compressed
		left -= compressed
	}
	return nil
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
func checkCompression(body *io.SectionReader, codec format.CompressionCodec, text, limit int64) error {
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
	case format.Lz4Raw:
		// It does not say. The library tries with twice as much memory again and again, for
		// ever where the data is damaged.
		all, err := readStart(body, body.Size())
		if err != nil {
			return err
		}
		if _, err := lz4.UncompressBlock(all, make([]byte, text)); err != nil {
			return errDamaged
		}
	}
	return nil
}

// readStart reads the first bytes of r, or all if there are less.
func readStart(r io.Reader, most int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, most))
}
