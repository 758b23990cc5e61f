package parquet

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding"
	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
)

// randomColumn is a column of a random file: how it is stored, and what its cells are.
type randomColumn struct {
	node     parquet.Node
	list     bool
	optional bool
	value    func(r *rand.Rand, spread int) (parquet.Value, string)
}

func ofString(r *rand.Rand, spread int) (parquet.Value, string) {
	text := strings.Repeat("x", r.IntN(5)) + fmt.Sprint(r.IntN(spread))
	if r.IntN(6) == 0 {
		text = ""
	}
	return parquet.ValueOf(text), text
}

// randomColumns are the kinds of columns.
var randomColumns = []randomColumn{
	{node: parquet.Leaf(parquet.BooleanType), value: func(r *rand.Rand, _ int) (parquet.Value, string) {
		b := r.IntN(3) == 0
		return parquet.ValueOf(b), fmt.Sprint(b)
	}},
	{node: parquet.Leaf(parquet.Int64Type), value: func(r *rand.Rand, spread int) (parquet.Value, string) {
		n := int64(r.IntN(spread)) - 5
		return parquet.ValueOf(n), fmt.Sprint(n)
	}},
	{node: parquet.Leaf(parquet.DoubleType), value: func(r *rand.Rand, spread int) (parquet.Value, string) {
		n := r.IntN(spread)
		return parquet.ValueOf(float64(n) + 0.5), fmt.Sprint(n) + ".5"
	}},
	{node: parquet.Leaf(parquet.Int32Type), value: func(r *rand.Rand, spread int) (parquet.Value, string) {
		n := int32(r.IntN(spread)) - 5
		return parquet.ValueOf(n), fmt.Sprint(n)
	}},
	{node: parquet.Leaf(parquet.FloatType), value: func(r *rand.Rand, spread int) (parquet.Value, string) {
		n := r.IntN(spread)
		return parquet.ValueOf(float32(n) + 0.5), fmt.Sprint(n) + ".5"
	}},
	{node: parquet.UUID(), value: func(r *rand.Rand, spread int) (parquet.Value, string) {
		n := r.IntN(spread)
		return parquet.FixedLenByteArrayValue(append(make([]byte, 12), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))), fmt.Sprintf("00000000-0000-0000-0000-0000%08x", n)
	}},
	{node: parquet.String(), value: ofString},
	{node: parquet.String(), list: true, value: ofString},
}

// encodings are those that each kind of values can have.
var encodings = map[parquet.Kind][]encoding.Encoding{
	parquet.Boolean:           {&parquet.Plain, &parquet.RLE},
	parquet.Int32:             {&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaBinaryPacked, &parquet.ByteStreamSplit},
	parquet.Int64:             {&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaBinaryPacked, &parquet.ByteStreamSplit},
	parquet.Int96:             {&parquet.Plain, &parquet.RLEDictionary},
	parquet.Float:             {&parquet.Plain, &parquet.RLEDictionary, &parquet.ByteStreamSplit},
	parquet.Double:            {&parquet.Plain, &parquet.RLEDictionary, &parquet.ByteStreamSplit},
	parquet.FixedLenByteArray: {&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaByteArray, &parquet.ByteStreamSplit},
	parquet.ByteArray:         {&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaLengthByteArray, &parquet.DeltaByteArray},
}

// randomRows are the rows of a random file, and the texts of their cells, "-" for null.
type randomRows struct {
	columns []randomColumn
	rows    []parquet.Row
	texts   [][]string
}

// drawRows makes rows of columns of these kinds. A column may be several.
func drawRows(t *rapid.T, kinds []randomColumn) (all randomRows) {
	r := rand.New(rand.NewPCG(2, uint64(rapid.Int().Draw(t, "seed"))))
	spread := rapid.SampledFrom([]int{5, 300, 300, 100_000}).Draw(t, "values")
	for range rapid.IntRange(1, 6).Draw(t, "columns") {
		c := rapid.SampledFrom(kinds).Draw(t, "kind")
		c.optional = rapid.Bool().Draw(t, "optional")
		all.columns = append(all.columns, c)
	}
	if rapid.IntRange(0, 9).Draw(t, "many") == 0 {
		all.columns = append(all.columns, slices.Repeat(all.columns[:1], 70)...)
	}
	nulls := rapid.SampledFrom([]int{1, 2, 50}).Draw(t, "rows to a null")
	for range rapid.IntRange(0, 1000).Draw(t, "rows") {
		row, shown := parquet.Row{}, []string{}
		for at, c := range all.columns {
			level := 0
			if c.optional {
				level = 1
			}
			items, text := 1, "-"
			switch isNull := c.optional && r.IntN(nulls) == 0; {
			case isNull:
				row = append(row, parquet.NullValue().Level(0, 0, at))
				shown = append(shown, text)
				continue
			case c.list:
				items = r.IntN(4)
				level++
				if text = "[]"; items == 0 {
					row = append(row, parquet.NullValue().Level(0, level-1, at))
				}
			}
			for i := range items {
				v, said := c.value(r, spread)
				row = append(row, v.Level(min(i, 1), level, at))
				switch {
				case !c.list:
					text = said
				case i == 0:
					text = `["` + said + `"]`
				default:
					text = strings.TrimSuffix(text, "]") + `,"` + said + `"]`
				}
			}
			shown = append(shown, text)
		}
		all.rows, all.texts = append(all.rows, row), append(all.texts, shown)
	}
	return all
}

// write makes a file of rows, in one of many ways.
func (all *randomRows) write(t *rapid.T) []byte {
	group := parquet.Group{}
	for at, c := range all.columns {
		c.node = parquet.Encoded(c.node, rapid.SampledFrom(encodings[c.node.Type().Kind()]).Draw(t, "encoding"))
		if c.list {
			c.node = parquet.List(c.node)
		}
		if c.optional {
			c.node = parquet.Optional(c.node)
		}
		group[fmt.Sprintf("c%02d", at)] = c.node
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[any](&out, parquet.NewSchema("users", group),
		parquet.PageBufferSize(rapid.SampledFrom([]int{64, 64, 1000, 100_000}).Draw(t, "page size")),
		parquet.MaxRowsPerRowGroup(rapid.SampledFrom([]int64{20, 1000, 10_000}).Draw(t, "rows of a group")),
		parquet.DataPageVersion(rapid.IntRange(1, 2).Draw(t, "page version")), parquet.Compression(rapid.SampledFrom(codecs).Draw(t, "compression")),
		parquet.DictionaryMaxBytes(rapid.SampledFrom([]int64{0, 100, 100}).Draw(t, "size of a dictionary")))
	if _, err := w.WriteRows(all.rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// randomFile makes a file, and the texts of its cells by row and column.
func randomFile(t *rapid.T) (data []byte, texts [][]string) {
	all := drawRows(t, randomColumns)
	return all.write(t), all.texts
}

// TestCells: whatever way cells are stored, row by row and in batches they are what was written.
func TestCells(t *testing.T) {
	rounds.Check(t, func(t *rapid.T) {
		data, want := randomFile(t)
		file, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		file.room.Store(rapid.SampledFrom([]int64{10, mostEntries, mostEntries}).Draw(t, "room for dictionaries"))
		columns := rapid.SampledFrom([][]int{{0}, {len(file.Columns()) - 1}, nil}).Draw(t, "asked")
		if columns == nil {
			for i := range file.Columns() {
				columns = append(columns, i)
			}
		}
		file.Ask(columns)
		row := 0
		check := func(line int, cell func(column int) []byte) {
			if row >= len(want) || line != row+1 {
				t.Fatalf("row %d of %d is said to be %d", row, len(want), line)
			}
			for _, column := range columns {
				if got := shown(cell(column)); got != want[row][column] {
					t.Fatalf("row %d, column %d: %q, want %q", row, column, got, want[row][column])
				}
			}
			row++
		}
		var b Batch
		for first := rapid.IntRange(0, 700).Draw(t, "rows one by one"); ; first-- {
			if first > 0 {
				cells, err := file.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				check(file.Line(), func(column int) []byte { return cells[column] })
				continue
			}
			if err := file.ReadBatch(&b, rapid.IntRange(1, 300).Draw(t, "rows of a batch")); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			for at := b.Begin; at < b.Rows; at++ {
				check(b.First+at, func(column int) []byte { return b.Cells[column].Cell(at) })
			}
		}
		if row != len(want) {
			t.Fatalf("%d rows, want %d", row, len(want))
		}
	})
}

func shown(cell []byte) string {
	if cell == nil {
		return "-"
	}
	return string(cell)
}
