package parquet

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
)

// TestRest: a row's first cells and the rest of it, whichever rows that is asked of, are what was
// written.
func TestRest(t *testing.T) {
	rounds.Check(t, func(t *rapid.T) {
		data, want := randomFile(t)
		file, first := openFirst(t, data)
		defer file.Close()
		every := rapid.SampledFrom([]int{1, 3, 100, 5000}).Draw(t, "rows to one that is looked at")
		asked, wanted, r := 0, map[int]bool{}, rand.New(rand.NewPCG(3, 3))
		for row := range want {
			wanted[row] = r.IntN(every) == 0
		}
		file.AskRest(func(cells [][]byte) bool {
			for _, column := range first {
				if got := shown(cells[column]); got != want[asked][column] {
					t.Errorf("asked of row %d, column %d: %q, want %q", asked, column, got, want[asked][column])
				}
			}
			asked++
			return wanted[asked-1]
		})
		for row := 0; ; row++ {
			cells, err := file.Next()
			if err == io.EOF && row == len(want) {
				return
			}
			if err != nil || row == len(want) {
				t.Fatal(row, len(want), err)
			}
			for rest := range 2 {
				for column, cell := range cells {
					isRead := rest == 1 || slices.Contains(first, column)
					if got := shown(cell); isRead && got != want[row][column] || !isRead && cell != nil {
						t.Fatalf("row %d, column %d: %q, want %q", row, column, got, want[row][column])
					}
				}
				if rest == 1 || !wanted[row] {
					break
				}
				if cells, err = file.Rest(); err != nil {
					t.Fatal(row, err)
				}
			}
		}
	})
}

// countedReads counts what is read.
type countedReads struct {
	io.ReaderAt
	bytes atomic.Int64
}

func (c *countedReads) ReadAt(p []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, at)
	c.bytes.Add(int64(n))
	return n, err
}

// TestRestReadsWhatIsWanted: of pages without any row that is wanted the headers are read, and no
// more.
func TestRestReadsWhatIsWanted(t *testing.T) {
	type row struct {
		ID   int32  `parquet:"id,delta"`
		Text string `parquet:"text,plain"`
	}
	var all []row
	for i := range 10_000 {
		all = append(all, row{int32(i), fmt.Sprintf("%0500d", i)})
	}
	var out bytes.Buffer
	if err := parquet.Write(&out, all, parquet.PageBufferSize(64<<10)); err != nil {
		t.Fatal(err)
	}
	counted := &countedReads{ReaderAt: bytes.NewReader(out.Bytes())}
	file, err := Open(counted, int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	file.Ask([]int{0, 1})
	file.AskFirst([]int{0})
	file.AskRest(func(cells [][]byte) bool { return string(cells[0]) == "5000" })
	for i := range all {
		if _, err := file.Next(); err != nil {
			t.Fatal(i, err)
		}
		if !file.HasRest() {
			continue
		}
		if cells, err := file.Rest(); err != nil || string(cells[1]) != all[5000].Text {
			t.Fatalf("%q, %v", cells, err)
		}
	}
	if most := int64(out.Len() / 20); counted.bytes.Load() > most {
		t.Errorf("%d bytes of %d were read", counted.bytes.Load(), out.Len())
	}
}

// TestPrints: two rows have the same print if all that they have is the same, and only then,
// whatever way it is stored.
func TestPrints(t *testing.T) {
	rounds.Check(t, func(t *rapid.T) {
		data, want := randomFile(t)
		file, first := openFirst(t, data)
		defer file.Close()
		file.AskPrints(rapid.Uint64().Draw(t, "seed of prints"))
		prints, rows := map[string][16]byte{}, map[[16]byte]string{}
		for row := 0; ; row++ {
			cells, err := file.Next()
			if err == io.EOF && row == len(want) {
				return
			}
			if err != nil || row == len(want) {
				t.Fatal(row, len(want), err)
			}
			for _, column := range first {
				if got := shown(cells[column]); got != want[row][column] {
					t.Fatalf("row %d, column %d: %q, want %q", row, column, got, want[row][column])
				}
			}
			text, print := fmt.Sprintf("%q", want[row]), file.Print()
			if before, ok := prints[text]; ok && before != print {
				t.Fatalf("row %d has another print than one that is the same: %s", row, text)
			}
			if before, ok := rows[print]; ok && before != text {
				t.Fatalf("row %d has the print of another one: %s, %s", row, text, before)
			}
			prints[text], rows[print] = print, text
		}
	})
}

// TestPrintsOfWriters: whatever way rows are stored and in whatever order, they have their prints.
func TestPrintsOfWriters(t *testing.T) {
	rounds.Check(t, func(t *rapid.T) {
		all := drawRows(t, rapid.SampledFrom([][]randomColumn{randomColumns, randomColumns[:1]}).Draw(t, "kinds"))
		prints := map[string][16]byte{}
		for range 2 {
			file := openAll(t, all.write(t))
			file.AskFirst([]int{0})
			file.AskPrints(5)
			for _, texts := range all.texts {
				if _, err := file.Next(); err != nil {
					t.Fatal(err)
				}
				text, print := fmt.Sprintf("%q", texts), file.Print()
				if before, ok := prints[text]; ok && before != print {
					t.Fatalf("the print of a row depends on how it is stored: %s", text)
				}
				prints[text] = print
			}
			if _, err := file.Next(); err != io.EOF {
				t.Fatal(err)
			}
			file.Close()
			rand.New(rand.NewPCG(6, 6)).Shuffle(len(all.rows), func(i, k int) {
				all.rows[i], all.rows[k] = all.rows[k], all.rows[i]
				all.texts[i], all.texts[k] = all.texts[k], all.texts[i]
			})
		}
	})
}

// openFirst opens a file and asks for all columns, and for some of them first.
func openFirst(t *rapid.T, data []byte) (file *File, first []int) {
	file = openAll(t, data)
	for i, is := range rapid.SliceOfN(rapid.Bool(), len(file.Columns()), -1).Draw(t, "first")[:len(file.Columns())] {
		if is {
			first = append(first, i)
		}
	}
	file.AskFirst(first)
	return file, first
}

// openAll opens a file and asks for all columns.
func openAll(t *rapid.T, data []byte) *File {
	file, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	file.room.Store(rapid.SampledFrom([]int64{10, mostEntries, mostEntries}).Draw(t, "room for dictionaries"))
	for i := range file.Columns() {
		file.Ask([]int{i})
	}
	return file
}
