package parquet

import (
	"encoding/binary"
	"io"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Magic begins and ends every Parquet file.
const Magic = "PAR1"

const (
	encrypted = "PARE" // stands in its place where the footer is encrypted
	signature = 28     // bytes of one behind the footer, where columns alone are
)

// footer is what a file says of itself at its end. Of each struct of parquet.thrift it has what must be
// there, so that damage is found, and what is needed: all that a wide table says of each row group
// would take a lot of memory.
type footer struct {
	Version   int32                       `thrift:"1,required"`
	Schema    thrift.Slice[schemaElement] `thrift:"2,required"`
	NumRows   int64                       `thrift:"3,required"`
	RowGroups thrift.Slice[rowGroup]      `thrift:"4,required"`
}

type schemaElement struct {
	Type           thrift.Null[format.Type]                `thrift:"1,optional"` // of a column
	TypeLength     thrift.Null[int32]                      `thrift:"2,optional"`
	RepetitionType thrift.Null[format.FieldRepetitionType] `thrift:"3,optional"`
	Name           string                                  `thrift:"4,required"`
	NumChildren    int32                                   `thrift:"5,optional"` // of a group
	ConvertedType  thrift.Null[deprecated.ConvertedType]   `thrift:"6,optional"`
	Scale          thrift.Null[int32]                      `thrift:"7,optional"`
	Precision      thrift.Null[int32]                      `thrift:"8,optional"`
	LogicalType    format.LogicalType                      `thrift:"10,optional"`
}

type rowGroup struct {
	Columns       thrift.Slice[columnChunk] `thrift:"1,required"`
	TotalByteSize int64                     `thrift:"2,required"`
	NumRows       int64                     `thrift:"3,required"`
}

type columnChunk struct {
	FileOffset int64 `thrift:"2,required"`
	MetaData   chunk `thrift:"3,optional"`
}

// chunk is a column's part of a row group.
type chunk struct {
	Type                  format.Type                   `thrift:"1,required"`
	Encoding              thrift.Slice[format.Encoding] `thrift:"2,required"`
	PathInSchema          thrift.Slice[string]          `thrift:"3,required"`
	Codec                 format.CompressionCodec       `thrift:"4,required"`
	NumValues             int64                         `thrift:"5,required"`
	TotalUncompressedSize int64                         `thrift:"6,required"`
	TotalCompressedSize   int64                         `thrift:"7,required"`
	DataPageOffset        int64                         `thrift:"9,required"`
	DictionaryPageOffset  int64                         `thrift:"11,optional"`
}

// readFooter reads the footer of a file of that size.
func readFooter(r io.ReaderAt, size int64) (*footer, error) {
	const tailSize = 8 // the footer's size, and the magic
	least := int64(len(Magic) + tailSize)
	if size < least {
		return nil, errBreaksOff
	}
	tail := make([]byte, tailSize)
	if err := readAt(r, tail, size-tailSize); err != nil {
		return nil, err
	}
	switch string(tail[4:]) {
	case Magic:
	case encrypted:
		return nil, errEncrypted
	default:
		return nil, errBreaksOff
	}
	length := int64(binary.LittleEndian.Uint32(tail))
	if length > size-least {
		return nil, errDamaged
	}
	head := make([]byte, len(Magic))
	if err := readAt(r, head, 0); err != nil {
		return nil, err
	}
	if string(head) != Magic {
		return nil, errDamaged
	}
	text := make([]byte, length)
	if err := readAt(r, text, size-tailSize-length); err != nil {
		return nil, err
	}
	f := new(footer)
	n, err := decode(text, f)
	switch {
	case err == nil && n == len(text):
		return f, nil
	case err == nil && n+signature == len(text):
		return nil, errEncrypted
	}
	return nil, errDamaged
}

// readAt reads all bytes of dst. A file that ends before has changed since its size was asked for.
func readAt(r io.ReaderAt, dst []byte, at int64) error {
	n, err := r.ReadAt(dst, at)
	switch {
	case n == len(dst):
		return nil
	case err == io.EOF:
		return errDamaged
	}
	return err
}
