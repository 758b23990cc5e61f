package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

var codecs = []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd, &parquet.Lz4Raw, &parquet.Brotli}

// TestCodecs: cells are what was written with any compression, of either kind of page and of any
// size, also where there is little that can be compressed. With LZ4 they were other ones.
func TestCodecs(t *testing.T) {
	for _, codec := range codecs {
		for version := 1; version <= 2; version++ {
			for _, size := range []int{1000, 100_000} {
				t.Run(fmt.Sprint(codec, version, size), func(t *testing.T) {
					for _, isOptional := range []bool{false, true} {
						for _, isDictionary := range []bool{false, true} {
							testCodec(t, isOptional, isDictionary, parquet.PageBufferSize(size), parquet.DataPageVersion(version),
								parquet.Compression(codec), parquet.DataPageStatistics(true), parquet.MaxRowsPerRowGroup(3000))
						}
					}
				})
			}
		}
	}
}

func testCodec(t *testing.T, isOptional, isDictionary bool, how ...parquet.WriterOption) {
	t.Helper()
	group := parquet.Group{}
	for at, c := range randomColumns {
		node := c.node
		if isDictionary && !c.list && node.Type().Kind() != parquet.Boolean {
			node = parquet.Encoded(node, &parquet.RLEDictionary)
		}
		if c.list {
			node = parquet.List(node)
		}
		if isOptional {
			node = parquet.Optional(node)
		}
		group[fmt.Sprint("c", at)] = node
	}
	r := rand.New(rand.NewPCG(8, 8))
	var out bytes.Buffer
	w := parquet.NewGenericWriter[any](&out, append(how, parquet.NewSchema("users", group))...)
	var want [][]string
	for range 5000 {
		row, texts := parquet.Row{}, []string{}
		for at, c := range randomColumns {
			level := 0
			if c.list {
				level++
			}
			if isOptional {
				level++
				if r.IntN(9) == 0 {
					row, texts = append(row, parquet.NullValue().Level(0, 0, at)), append(texts, "-")
					continue
				}
			}
			v, text := c.value(r, 1<<22)
			if c.list {
				text = `["` + text + `"]`
			}
			row, texts = append(row, v.Level(0, level, at)), append(texts, text)
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
		want = append(want, texts)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for i := range file.Columns() {
		file.Ask([]int{i})
	}
	for row, texts := range want {
		cells, err := file.Next()
		if err != nil {
			t.Fatal(row, err)
		}
		for at, text := range texts {
			if got := shown(cells[at]); got != text {
				t.Fatalf("row %d, column %d: %q, want %q", row, at, got, text)
			}
		}
	}
	if _, err := file.Next(); err != io.EOF {
		t.Fatal(err)
	}
}

// TestSeveralCompressions: a column of which row groups are compressed in different ways is refused,
// because the library would take all for compressed as the first one is.
func TestSeveralCompressions(t *testing.T) {
	var data bytes.Buffer
	w := parquet.NewGenericWriter[struct{ A int64 }](&data, parquet.MaxRowsPerRowGroup(2))
	if _, err := w.Write(make([]struct{ A int64 }, 3)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(data.Bytes()), int64(data.Len()))
	if err != nil {
		t.Fatal(err)
	}
	file.Metadata().RowGroups[1].Columns[0].MetaData.Codec = format.Snappy
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), file.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	data.Write(append(binary.LittleEndian.AppendUint32(footer, uint32(len(footer))), Magic...))
	if _, err := Open(bytes.NewReader(data.Bytes()), int64(data.Len())); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
