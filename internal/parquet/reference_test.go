package parquet

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
)

// leaves are columns of all types.
var leaves = []parquet.Node{
	parquet.Leaf(parquet.BooleanType), parquet.Leaf(parquet.Int32Type), parquet.Leaf(parquet.Int64Type), parquet.Leaf(parquet.Int96Type),
	parquet.Leaf(parquet.FloatType), parquet.Leaf(parquet.DoubleType), parquet.Leaf(parquet.ByteArrayType),
	parquet.Leaf(parquet.FixedLenByteArrayType(5)), parquet.Leaf(parquet.FixedLenByteArrayType(16)),
	parquet.Int(8), parquet.Int(16), parquet.Int(32), parquet.Int(64), parquet.Uint(8), parquet.Uint(16), parquet.Uint(32), parquet.Uint(64),
	parquet.String(), parquet.Enum(), parquet.JSON(), parquet.BSON(), parquet.UUID(), parquet.Date(),
	parquet.Time(parquet.Millisecond), parquet.TimeAdjusted(parquet.Microsecond, false), parquet.Time(parquet.Nanosecond),
	parquet.Timestamp(parquet.Millisecond), parquet.TimestampAdjusted(parquet.Microsecond, false), parquet.Timestamp(parquet.Nanosecond),
	parquet.Decimal(2, 9, parquet.Int32Type), parquet.Decimal(0, 18, parquet.Int64Type), parquet.Decimal(9, 38, parquet.FixedLenByteArrayType(16)),
	parquet.Decimal(3, 20, parquet.ByteArrayType), parquet.Decimal(77, 80, parquet.ByteArrayType), parquet.Decimal(1, 10, parquet.FixedLenByteArrayType(5)),
}

// drawNode makes a column, or a group of any depth.
func drawNode(t *rapid.T, depth int) parquet.Node {
	kind := rapid.SampledFrom([]string{"leaf", "leaf", "leaf", "list", "map", "group"}).Draw(t, "kind")
	var n parquet.Node
	switch {
	case kind == "leaf" || depth == 3:
		n = rapid.SampledFrom(leaves).Draw(t, "type")
		n = parquet.Encoded(n, rapid.SampledFrom(encodings[n.Type().Kind()]).Draw(t, "encoding"))
	case kind == "list":
		n = parquet.List(drawNode(t, depth+1))
	case kind == "map":
		n = parquet.Map(parquet.String(), drawNode(t, depth+1))
	default:
		group := parquet.Group{}
		for i := range rapid.IntRange(1, 3).Draw(t, "fields") {
			group[fmt.Sprint("f", i)] = drawNode(t, depth+1)
		}
		n = group
	}
	switch rapid.IntRange(0, 3).Draw(t, "repetition") {
	case 0:
		return parquet.Repeated(n)
	case 1:
		return n
	}
	return parquet.Optional(n)
}

// filler makes rows of any schema.
type filler struct {
	*rand.Rand
	row    parquet.Row
	column int
}

// add adds what a row has in a node and below it. Levels are the present ones, and deep is the
// repetition level of what is repeated last.
func (f *filler) add(n parquet.Node, isThere bool, repetition, definition, deep int) {
	times := 1
	if isThere && n.Optional() {
		if isThere = f.IntN(4) > 0; isThere {
			definition++
		}
	}
	if isThere && n.Repeated() {
		if times = f.IntN(4); times == 0 {
			isThere, times = false, 1
		} else {
			definition++
		}
	}
	if n.Repeated() {
		deep++
	}
	from := f.column
	for range times {
		f.column = from
		if n.Leaf() {
			v := parquet.NullValue()
			if isThere {
				v = f.value(n.Type())
			}
			f.row = append(f.row, v.Level(repetition, definition, f.column))
			f.column++
		}
		for _, field := range n.Fields() {
			f.add(field, isThere, repetition, definition, deep)
		}
		repetition = deep
	}
}

// value makes one of few values, or one of many.
func (f *filler) value(t parquet.Type) parquet.Value {
	n := uint64(f.IntN(7))
	if f.IntN(3) == 0 {
		n = f.Uint64()
	}
	text := fmt.Appendf(nil, "%016x", n)
	switch t.Kind() {
	case parquet.Boolean:
		return parquet.BooleanValue(n&1 != 0)
	case parquet.Int32:
		return parquet.Int32Value(int32(n))
	case parquet.Int64:
		return parquet.Int64Value(int64(n))
	case parquet.Int96:
		return parquet.Int96Value(deprecated.Int96{uint32(n), uint32(n >> 40), 2440588 + uint32(n%1000)})
	case parquet.Float:
		return parquet.FloatValue(float32(n) / 8)
	case parquet.Double:
		return parquet.DoubleValue(float64(n) / 8)
	case parquet.FixedLenByteArray:
		return parquet.FixedLenByteArrayValue(text[:t.Length()])
	}
	return parquet.ByteArrayValue(text[n%17:])
}

// drawAnyFile makes a file of any schema, also as older writers made it.
func drawAnyFile(t *rapid.T) []byte {
	root := parquet.Group{}
	for i := range rapid.IntRange(1, 5).Draw(t, "columns") {
		root[fmt.Sprint("c", i)] = drawNode(t, 0)
	}
	schema := parquet.NewSchema("rows", root)
	f := filler{Rand: rand.New(rand.NewPCG(4, uint64(rapid.Int().Draw(t, "seed"))))}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[any](&out, schema, parquet.Compression(rapid.SampledFrom(codecs).Draw(t, "compression")),
		parquet.PageBufferSize(rapid.SampledFrom([]int{64, 1000}).Draw(t, "page size")), parquet.DataPageVersion(rapid.IntRange(1, 2).Draw(t, "page version")),
		parquet.MaxRowsPerRowGroup(rapid.SampledFrom([]int64{7, 1000}).Draw(t, "rows of a group")), parquet.DataPageStatistics(rapid.Bool().Draw(t, "statistics")))
	for range rapid.IntRange(0, 40).Draw(t, "rows") {
		f.row, f.column = f.row[:0], 0
		for _, field := range schema.Fields() {
			f.add(field, true, 0, 0, 0)
		}
		slices.SortStableFunc(f.row, func(a, b parquet.Value) int { return a.Column() - b.Column() })
		if _, err := w.WriteRows([]parquet.Row{f.row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	data := out.Bytes()
	footer := footerOf(t, data)
	switch rapid.SampledFrom([]string{"", "no meanings", "old meanings", "no old meanings"}).Draw(t, "what the schema says") {
	case "no meanings":
		for i := range footer.Schema {
			footer.Schema[i].LogicalType, footer.Schema[i].ConvertedType.Valid = format.LogicalType{}, false
		}
	case "old meanings":
		for i := range footer.Schema {
			footer.Schema[i].LogicalType = format.LogicalType{}
		}
	case "no old meanings":
		for i := range footer.Schema {
			footer.Schema[i].ConvertedType.Valid = false
		}
	default:
		return data
	}
	return withFooter(data, footerText(t, footer))
}

// TestLikeLibrary: of any file we see what parquet-go sees, the schema and the values.
func TestLikeLibrary(t *testing.T) {
	rounds.Check(t, func(t *rapid.T) {
		data := drawAnyFile(t)
		library, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		footer, err := readFooter(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		root, columns, err := newSchema(footer.Schema)
		if err != nil || columns != len(library.Schema().Columns()) {
			t.Fatal(columns, err)
		}
		sameNodes(t, root, library.Root())
		file := openAll(t, data)
		defer file.Close()
		for _, group := range library.RowGroups() {
			rows := group.Rows()
			for range group.NumRows() {
				var want [1]parquet.Row
				if n, err := rows.ReadRows(want[:]); n != 1 {
					t.Fatal(n, err)
				}
				cells, err := file.Next()
				if err != nil {
					t.Fatal(err)
				}
				for i, c := range file.found {
					if got, text := shown(cells[i]), c.textOf(want[0]); got != text {
						t.Fatalf("row %d, column %s of %s: %q, want %q", file.Line(), file.names[i], c.leaf.values, got, text)
					}
				}
			}
			if err := rows.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := file.Next(); err != io.EOF {
			t.Fatal(err)
		}
	})
}

// sameNodes compares two schemas.
func sameNodes(t *rapid.T, n *node, want *parquet.Column) {
	isSame := n.name == want.Name() && n.isOptional == want.Optional() && n.isRepeated == want.Repeated() && n.isGroup != want.Leaf() &&
		n.definition == want.MaxDefinitionLevel() && n.repetition == want.MaxRepetitionLevel() && len(n.nodes) == len(want.Columns())
	if isSame && !n.isGroup {
		isSame = n.index == want.Index()
		if newValueText(n.values).append != nil {
			isSame = isSame && parquet.Kind(n.values.kind) == want.Type().Kind() && n.values.String() == want.Type().String()
		}
		if n.values.kind == format.FixedLenByteArray {
			isSame = isSame && n.values.length == want.Type().Length()
		}
	}
	if !isSame {
		t.Fatalf("%+v, want %s", n, want)
	}
	for i, child := range n.nodes {
		sameNodes(t, child, want.Columns()[i])
	}
}

// textOf returns the cell of a row that the library has read.
func (c *column) textOf(row parquet.Row) string {
	text, items := []byte("-"), 0
	row.Range(func(column int, values []parquet.Value) bool {
		if column != c.leaf.index {
			return true
		}
		for _, v := range values {
			switch plain := v.Bytes(); {
			case !c.list && v.IsNull():
			case !c.list:
				text = c.text.append(nil, plain)
			case v.DefinitionLevel() < c.defined-1:
			case v.DefinitionLevel() < c.defined:
				text = []byte("[]")
			default:
				if items++; items == 1 {
					text = []byte("[")
				} else {
					text = append(text, ',')
				}
				if v.IsNull() {
					text = append(text, "null"...)
				} else {
					text = c.text.appendJSON(text, plain)
				}
			}
		}
		return false
	})
	if items > 0 {
		text = append(text, ']')
	}
	return string(text)
}
