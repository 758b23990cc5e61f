package parquet

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"gleapsync/internal/rounds"
)

// The ways of reading.
const (
	plainly  = iota
	withRest // one column first, and then the rest of every third row
	forPrints
	ways
)

// readAll reads all cells of a file, and returns how much memory it asked for.
func readAll(t *testing.T, data []byte, way int) (rows int, asked uint64, err error) {
	t.Helper()
	before := allocated()
	file, err := Open(bytes.NewReader(data), int64(len(data)))
	if err == nil {
		for i := range file.Columns() {
			file.Ask([]int{i})
		}
		if len(file.Columns()) == 0 {
			return 0, allocated() - before, io.EOF // as many rows as it says: there is nothing to read of them
		}
		if way != plainly {
			file.AskFirst([]int{0})
		}
		switch asked := 0; way {
		case forPrints:
			file.AskPrints(1)
		case withRest:
			file.AskRest(func([][]byte) bool { asked++; return asked%3 == 0 })
		}
		for err == nil {
			if rows++; rows > 1<<20 {
				t.Fatal("does not end")
			}
			if _, err = file.Next(); err == nil && way == withRest && rows%3 == 0 {
				_, err = file.Rest()
			}
		}
		file.Close()
	}
	return rows - 1, allocated() - before, err
}

// allocated is how much memory the program has asked for up to now.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// mostMemory is more than any small file may ask for, however damaged it is.
const mostMemory = 256 << 20

// TestDamaged flips bits of files with each compression and kind of page: some of
// them are of sizes.
func TestDamaged(t *testing.T) {
	step := rounds.Of(7, 1)
	for _, codec := range codecs {
		for version := 1; version <= 2; version++ {
			t.Run(fmt.Sprint(codec, version), func(t *testing.T) {
				valid := users(t, codec, version)
				for way := range ways {
					if rows, _, err := readAll(t, valid, way); rows != 50 || err != io.EOF {
						t.Fatal(rows, err)
					}
				}
				data := bytes.Clone(valid)
				for i := range data {
					for bit := 1; bit < 0x100; bit <<= step {
						data[i] ^= byte(bit)
						if _, asked, _ := readAll(t, data, i%ways); asked > mostMemory {
							t.Errorf("byte %d, bit %#x: %d MiB", i, bit, asked>>20)
						}
						data[i] = valid[i]
					}
				}
			})
		}
	}
}

// TestLongStatistics: headers of pages that hold long values cost no more to read than
// the pages.
func TestLongStatistics(t *testing.T) {
	var out bytes.Buffer
	schema := parquet.NewSchema("users", parquet.Group{"user_id": parquet.String(), "v": parquet.String()})
	w := parquet.NewGenericWriter[any](&out, schema, parquet.DataPageStatistics(true), parquet.PageBufferSize(64<<10))
	for i := range 10_000 {
		row := parquet.Row{parquet.ValueOf(fmt.Sprint("u", i)).Level(0, 0, 0), parquet.ValueOf(fmt.Sprintf("%0600d", i)).Level(0, 0, 1)}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if rows, asked, err := readAll(t, out.Bytes(), plainly); rows != 10_000 || err != io.EOF || asked > 4*uint64(out.Len()) {
		t.Errorf("%d rows of %d bytes: %d bytes asked for, %v", rows, out.Len(), asked, err)
	}
}

// FuzzRead changes bytes of a valid file.
func FuzzRead(f *testing.F) {
	var files [][]byte
	for _, name := range []string{"redshift", "snowflake", "bigquery"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "engage", "testdata", name+".parquet"))
		if err != nil {
			f.Fatal(err)
		}
		files = append(files, data)
	}
	slices.SortFunc(files, bytes.Compare)
	files = append(files, users(f, &parquet.Lz4Raw, 1), users(f, &parquet.Lz4Raw, 2), encoded(f, 1), encoded(f, 2))
	f.Add(uint8(0), uint16(10), uint8(0xff), uint16(2000), uint8(1))
	f.Add(uint8(1), uint16(0), uint8(0), uint16(0), uint8(0))
	f.Add(uint8(2), uint16(500), uint8(7), uint16(40), uint8(0x80))
	f.Add(uint8(0), uint16(40), uint8(0x10), uint16(116), uint8(0xa4)) // 2 GiB of text, it says
	f.Fuzz(func(t *testing.T, file uint8, at uint16, flip uint8, also uint16, flop uint8) {
		data := bytes.Clone(files[int(file)%len(files)])
		data[int(at)%len(data)] ^= flip
		data[int(also)%len(data)] ^= flop
		if _, asked, _ := readAll(t, data, int(file/3)%ways); asked > mostMemory {
			t.Errorf("%d MiB", asked>>20)
		}
	})
}

// users writes 50 users with a boolean and a number.
func users(t testing.TB, codec compress.Codec, version int) []byte {
	t.Helper()
	type user struct {
		In     *bool  `parquet:"in"`
		Number *int64 `parquet:"number"`
		UserID string `parquet:"user_id"`
	}
	var all []user
	for i := range int64(50) {
		in := i%3 == 0
		all = append(all, user{&in, &i, fmt.Sprintf("u%016x", i*7919)})
	}
	var out bytes.Buffer
	if err := parquet.Write(&out, all, parquet.Compression(codec), parquet.DataPageVersion(version)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// encoded writes 40 rows with a column of each kind in each encoding.
func encoded(t testing.TB, version int) []byte {
	t.Helper()
	group, columns := parquet.Group{}, []randomColumn{}
	for _, c := range randomColumns {
		for _, how := range encodings[c.node.Type().Kind()] {
			node := parquet.Encoded(c.node, how)
			if c.list {
				node = parquet.List(node)
			}
			group[fmt.Sprintf("c%02d", len(columns))] = parquet.Optional(node)
			columns = append(columns, c)
		}
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[any](&out, parquet.NewSchema("users", group), parquet.DataPageVersion(version), parquet.MaxRowsPerRowGroup(30))
	r := rand.New(rand.NewPCG(7, 7))
	for range 40 {
		var row parquet.Row
		for at, c := range columns {
			v, _ := c.value(r, 10)
			switch {
			case r.IntN(5) == 0:
				v = parquet.NullValue().Level(0, 0, at)
			case c.list:
				v = v.Level(0, 2, at)
			default:
				v = v.Level(0, 1, at)
			}
			row = append(row, v)
		}
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
