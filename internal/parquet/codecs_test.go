package parquet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"gleapsync/internal/rounds"
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
								parquet.Compression(codec), parquet.DataPageStatistics(true), parquet.MaxRowsPerRowGroup(int64(rounds.Of(1000, 3000))))
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
	for range rounds.Of(1500, 5000) {
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

// TestDecompress: a page is as long as it says, and no room is made for one that is not.
func TestDecompress(t *testing.T) {
	for _, codec := range codecs[1:] { // none are plain
		for _, size := range []int{0, 1, 1000, 32 << 20} {
			packed, err := codec.Encode(nil, make([]byte, size))
			if err != nil {
				t.Fatal(err)
			}
			for _, room := range []int{0, max(size-1, 0), size, size + 1} {
				dst := bytes.Repeat([]byte{1}, room)
				before := allocated()
				err := decompress(dst, packed, codec.CompressionCodec())
				asked := allocated() - before
				if isRight := room == size; (err == nil) != isRight || isRight && bytes.Count(dst, []byte{0}) < size {
					t.Errorf("%s, %d bytes instead of %d: %v", codec, room, size, err)
				}
				if asked > 16<<20 {
					t.Errorf("%s, %d bytes instead of %d: %d bytes asked for", codec, room, size, asked)
				}
			}
		}
	}
	if err := readError(decompress(nil, nil, format.LZO)); !strings.Contains(err.Error(), "pages compressed with LZO") {
		t.Error(err)
	}
}

// TestSeveralCompressions: each row group may be compressed in a way of its own.
func TestSeveralCompressions(t *testing.T) {
	type row struct {
		A string `parquet:"a,dict"`
	}
	var data []byte
	var all *format.FileMetaData
	for i, codec := range codecs {
		var part bytes.Buffer
		if err := parquet.Write(&part, []row{{fmt.Sprint("row ", i)}, {"same"}}, parquet.Compression(codec)); err != nil {
			t.Fatal(err)
		}
		file, err := parquet.OpenFile(bytes.NewReader(part.Bytes()), int64(part.Len()))
		if err != nil {
			t.Fatal(err)
		}
		said := file.Metadata()
		chunk := &said.RowGroups[0].Columns[0].MetaData
		chunk.DictionaryPageOffset += int64(len(data))
		chunk.DataPageOffset += int64(len(data))
		data = append(data, part.Bytes()...)
		if all == nil {
			all = said
			continue
		}
		all.RowGroups, all.NumRows = append(all.RowGroups, said.RowGroups...), all.NumRows+said.NumRows
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), all)
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, append(binary.LittleEndian.AppendUint32(footer, uint32(len(footer))), Magic...)...)
	file, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.Ask([]int{0})
	for i := range 2 * len(codecs) {
		want := "same"
		if i%2 == 0 {
			want = fmt.Sprint("row ", i/2)
		}
		if cells, err := file.Next(); err != nil || string(cells[0]) != want {
			t.Fatalf("row %d: %q, want %q: %v", i, cells, want, err)
		}
	}
	if _, err := file.Next(); err != io.EOF {
		t.Fatal(err)
	}
}

// TestLevelsAboveMost: a level that a column does not have is damage, and no item that is null.
func TestLevelsAboveMost(t *testing.T) {
	top := parquet.NewSchema("users", parquet.Group{"tags": parquet.Optional(parquet.List(parquet.String()))})
	var out bytes.Buffer
	if err := parquet.NewGenericWriter[any](&out, top).Close(); err != nil {
		t.Fatal(err)
	}
	file, err := Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	c := file.found[0]
	for level, want := range []error{nil, nil, nil, errDamaged} {
		c.left = 1
		if _, err := c.openLevels([]byte{1 << 1, byte(level)}); err != want {
			t.Errorf("level %d of %d: %v", level, c.leaf.definition, err)
		}
	}
}

// TestNullsNotCounted: which values are null the levels say, also where a page of the second kind
// counts none.
func TestNullsNotCounted(t *testing.T) {
	var out bytes.Buffer
	schema := parquet.NewSchema("users", parquet.Group{"vip": parquet.Optional(parquet.Leaf(parquet.BooleanType))})
	w := parquet.NewGenericWriter[any](&out, schema, parquet.DataPageVersion(2))
	want := []string{"true", "-", "-", "true", "false", "-", "true", "false"}
	for _, text := range want {
		v := parquet.NullValue().Level(0, 0, 0)
		if text != "-" {
			v = parquet.BooleanValue(text == "true").Level(0, 1, 0)
		}
		if _, err := w.WriteRows([]parquet.Row{{v}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := Open(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	file.Ask([]int{0})
	c := file.found[0]
	c.begin(file.pagesOf(0, 0))
	if err := c.nextPage(); err != nil {
		t.Fatal(err)
	}
	if nulls := &c.header.DataPageHeaderV2.V.NumNulls; *nulls != 3 {
		t.Fatal(*nulls)
	} else {
		*nulls = 0
	}
	var cells Cells
	if err := c.read(&cells, len(want)); err != nil {
		t.Fatal(err)
	}
	for row, text := range want {
		if got := shown(cells.Cell(row)); got != text {
			t.Errorf("row %d: %q, want %q", row, got, text)
		}
	}
}
