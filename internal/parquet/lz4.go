package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// The library has wrong values of pages that LZ4 compressed, and mostly no error: where its codec
// wants more room than it was given, the library looks for what was made in the old place, where
// something of another page stands (v0.32.0, https://github.com/parquet-go/parquet-go/issues/608).
// So it is told here that such columns are not compressed, and given their pages as if they were
// not. All of this goes when a release of the library passes TestCodecs without it.

// openFile opens a file. What the file says of itself is returned besides, because the library is
// told something else.
func openFile(r io.ReaderAt, size int64) (file *parquet.File, said *format.FileMetaData, err error) {
	options := []parquet.FileOption{parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64 << 10)}
	if file, err = parquet.OpenFile(r, size, options...); err != nil {
		return nil, nil, err
	}
	said = file.Metadata()
	told, isOther := *said, false
	told.RowGroups = slices.Clone(said.RowGroups)
	for g := range told.RowGroups {
		columns := slices.Clone(told.RowGroups[g].Columns)
		told.RowGroups[g].Columns = columns
		for i := range columns {
			chunk := &columns[i].MetaData
			if chunk.Codec != said.RowGroups[0].Columns[i].MetaData.Codec { // the library looks at the first only
				return nil, nil, fmt.Errorf("a column with several compressions: %w", errors.ErrUnsupported)
			}
			if chunk.Codec == format.Lz4Raw {
				// How large the pages are is not known yet. The end of them tells.
				chunk.Codec, chunk.TotalCompressedSize, isOther = format.Uncompressed, math.MaxInt32, true
			}
		}
	}
	if !isOther {
		return file, said, nil
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &told)
	if err != nil {
		return nil, nil, err
	}
	footer = append(binary.LittleEndian.AppendUint32(footer, uint32(len(footer))), Magic...)
	file, err = parquet.OpenFile(&withFooter{r, size, bytes.NewReader(footer)}, size+int64(len(footer)), options...)
	return file, said, err
}

// withFooter is a file with another footer behind its own.
type withFooter struct {
	file   io.ReaderAt
	size   int64 // of the file
	footer *bytes.Reader
}

func (w *withFooter) ReadAt(p []byte, off int64) (int, error) {
	if off < w.size {
		return w.file.ReadAt(p, off)
	}
	return w.footer.ReadAt(p, off-w.size)
}

// lz4Pages are the pages of a column chunk as they would be if they were not compressed. They are
// read forwards only, and each is checked before memory is asked for.
type lz4Pages struct {
	file  io.ReaderAt
	chunk *format.ColumnMetaData
	at    int64 // where the next page is in the file,
	left  int64 // and how much of the chunk is there

	begin  int64  // where the present page is for who reads
	page   []byte // it, with its header
	packed bytes.Buffer
}

func newLZ4Pages(file io.ReaderAt, chunk *format.ColumnMetaData) *lz4Pages {
	at := firstPage(chunk)
	return &lz4Pages{file: file, chunk: chunk, at: at, left: chunk.TotalCompressedSize, begin: at}
}

// ReadAt reads what stands at off, if that is not before the present page.
func (l *lz4Pages) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		switch at := off + int64(n) - l.begin; {
		case at < 0:
			return n, errDamaged
		case at < int64(len(l.page)):
			n += copy(p[n:], l.page[at:])
		case l.left <= 0:
			return n, io.EOF
		default:
			if err := l.next(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// next goes on to the next page.
func (l *lz4Pages) next() error {
	header, size, err := readPageHeader(l.file, l.at, l.left)
	if err != nil {
		return err
	}
	plain, err := checkHeader(header, l.chunk, l.left-size)
	if err != nil {
		return err
	}
	compressed, text := int64(header.CompressedPageSize), int(header.UncompressedPageSize)
	l.packed.Reset()
	if _, err := l.packed.ReadFrom(io.NewSectionReader(l.file, l.at+size, compressed)); err != nil {
		return err
	}
	packed := l.packed.Bytes()
	if int64(len(packed)) != compressed || header.CRC != 0 && uint32(header.CRC) != crc32.ChecksumIEEE(packed) {
		return errDamaged
	}
	l.at += size + compressed
	l.left -= size + compressed

	header.CompressedPageSize, header.CRC = header.UncompressedPageSize, 0
	header.DataPageHeader.V.Statistics = format.Statistics{} // nobody asks for them
	if v2 := &header.DataPageHeaderV2; v2.Valid {
		v2.V.Statistics, v2.V.IsCompressed = format.Statistics{}, thrift.New(false)
	}
	said, err := thrift.Marshal(new(thrift.CompactProtocol), header)
	if err != nil {
		return err
	}
	l.begin += int64(len(l.page))
	l.page = append(append(l.page[:0], said...), packed[:plain]...)
	from := len(l.page)
	l.page = slices.Grow(l.page, text-int(plain))[:len(said)+text]
	if n, err := lz4.UncompressBlock(packed[plain:], l.page[from:]); err != nil || n != len(l.page)-from {
		return errDamaged
	}
	return nil
}
