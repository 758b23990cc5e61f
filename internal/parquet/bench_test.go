package parquet

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/parquet-go/parquet-go"
)

const benchRows = 122_880 // a row group of DuckDB

// wideFile makes a table of 100 booleans, 25 whole numbers, 12 amounts and 13 words, stored as DuckDB
// does: each column in one page, with Snappy, and with a dictionary where that is worth it.
func wideFile(b *testing.B) []byte {
	b.Helper()
	var nodes []parquet.Node
	var values []func(r *rand.Rand) parquet.Value
	add := func(n int, node parquet.Node, value func(r *rand.Rand) parquet.Value) {
		for range n {
			nodes, values = append(nodes, node), append(values, value)
		}
	}
	dictionary := func(node parquet.Node) parquet.Node { return parquet.Encoded(node, &parquet.RLEDictionary) }
	add(1, parquet.Encoded(parquet.String(), &parquet.Plain), func(r *rand.Rand) parquet.Value { return parquet.ValueOf(fmt.Sprintf("u%016x", r.Uint64())) })
	add(100, parquet.Leaf(parquet.BooleanType), func(r *rand.Rand) parquet.Value { return parquet.ValueOf(r.IntN(5) == 0) })
	add(25, dictionary(parquet.Leaf(parquet.Int64Type)), func(r *rand.Rand) parquet.Value { return parquet.ValueOf(r.Int64N(1000)) })
	add(12, parquet.Leaf(parquet.DoubleType), func(r *rand.Rand) parquet.Value { return parquet.ValueOf(float64(r.IntN(500_000)) / 100) })
	add(13, dictionary(parquet.String()), func(r *rand.Rand) parquet.Value { return parquet.ValueOf(fmt.Sprint("colour", r.IntN(8))) })
	group := parquet.Group{}
	for i, node := range nodes {
		group[fmt.Sprintf("c%03d", i)] = parquet.Optional(node)
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[any](&out, parquet.NewSchema("users", group), parquet.Compression(&parquet.Snappy),
		parquet.DataPageVersion(1), parquet.PageBufferSize(64<<20))
	r, row := rand.New(rand.NewPCG(1, 1)), make(parquet.Row, len(nodes))
	for range benchRows {
		for i := range row {
			row[i] = values[i](r).Level(0, 1, i)
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkWide reads a table of 151 columns. MB are those of the file.
func BenchmarkWide(b *testing.B) {
	data := wideFile(b)
	for _, way := range []struct {
		name string
		read func(f *File) error
	}{
		{"cells", func(f *File) (err error) {
			for cells := new(Batch); err == nil; {
				err = f.ReadBatch(cells, nextRows)
			}
			return err
		}},
		{"prints", func(f *File) (err error) {
			f.AskFirst([]int{0})
			f.AskPrints(1)
			for err == nil {
				_, err = f.Next()
			}
			return err
		}},
		{"one row of 100", func(f *File) (err error) {
			f.AskFirst([]int{0})
			asked := 0
			f.AskRest(func([][]byte) bool { asked++; return asked%100 == 0 })
			for err == nil {
				if _, err = f.Next(); err == nil && f.HasRest() {
					_, err = f.Rest()
				}
			}
			return err
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				file, err := Open(bytes.NewReader(data), int64(len(data)))
				if err != nil {
					b.Fatal(err)
				}
				for i := range file.Columns() {
					file.Ask([]int{i})
				}
				if err := way.read(file); err != io.EOF {
					b.Fatal(err)
				}
				file.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
		})
	}
}
