package parquet

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"
)

// withFooter returns a file that ends with another footer.
func withFooter(data, footer []byte) []byte {
	tail := data[len(data)-8:]
	data = append(bytes.Clone(data[:len(data)-8-int(binary.LittleEndian.Uint32(tail))]), footer...)
	return append(binary.LittleEndian.AppendUint32(data, uint32(len(footer))), Magic...)
}

// footerOf returns what the library reads of a file's footer.
func footerOf(t rapid.TB, data []byte) *format.FileMetaData {
	t.Helper()
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipPageIndex(true))
	if err != nil {
		t.Fatal(err)
	}
	return file.Metadata()
}

func footerText(t rapid.TB, footer any) []byte {
	t.Helper()
	text, err := thrift.Marshal(new(thrift.CompactProtocol), footer)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestOpenRefused: what a footer says and cannot be is found before anything is read.
func TestOpenRefused(t *testing.T) {
	valid := users(t, &parquet.Snappy, 1)
	for name, damage := range map[string]func(f *format.FileMetaData){
		"no schema":               func(f *format.FileMetaData) { f.Schema = nil },
		"only a root":             func(f *format.FileMetaData) { f.Schema = f.Schema[:1] },
		"children less than none": func(f *format.FileMetaData) { f.Schema[0].NumChildren.V = -1 },
		"more children":           func(f *format.FileMetaData) { f.Schema[0].NumChildren.V++ },
		"fewer children":          func(f *format.FileMetaData) { f.Schema[0].NumChildren.V-- },
		"most children":           func(f *format.FileMetaData) { f.Schema[0].NumChildren.V = 1<<31 - 1 },
		"rows less than none":     func(f *format.FileMetaData) { f.NumRows, f.RowGroups[0].NumRows = -50, -50 },
		"other rows":              func(f *format.FileMetaData) { f.NumRows++ },
		"a column chunk more": func(f *format.FileMetaData) {
			f.RowGroups[0].Columns = append(f.RowGroups[0].Columns, f.RowGroups[0].Columns[0])
		},
		"a column chunk less": func(f *format.FileMetaData) { f.RowGroups[0].Columns = f.RowGroups[0].Columns[1:] },
		"a decimal of another kind": func(f *format.FileMetaData) {
			f.Schema[1].LogicalType.Value = &format.DecimalType{Precision: 3}
		},
		"a decimal of no length": func(f *format.FileMetaData) {
			f.Schema[3].Type = thrift.New(format.FixedLenByteArray)
			f.Schema[3].LogicalType.Value = &format.DecimalType{Precision: 3}
		},
		"a decimal of less than no length": func(f *format.FileMetaData) {
			f.Schema[3].Type, f.Schema[3].TypeLength = thrift.New(format.FixedLenByteArray), thrift.New(int32(-8))
			f.Schema[3].LogicalType.Value = &format.DecimalType{Precision: 3}
		},
		"a time without a unit": func(f *format.FileMetaData) { f.Schema[2].LogicalType.Value = new(format.TimeType) },
		"too deep": func(f *format.FileMetaData) {
			root, group := f.Schema[0], format.SchemaElement{Name: "g", NumChildren: thrift.New(int32(1))}
			root.NumChildren.V = 1
			f.Schema = append(append(thrift.Slice[format.SchemaElement]{root}, slices.Repeat(thrift.Slice[format.SchemaElement]{group}, deepestNode)...), f.Schema[1])
			f.RowGroups[0].Columns = f.RowGroups[0].Columns[:1]
		},
		"too many columns": func(f *format.FileMetaData) {
			root := f.Schema[0]
			root.NumChildren.V = mostColumns + 1
			f.Schema = append(thrift.Slice[format.SchemaElement]{root}, slices.Repeat(thrift.Slice[format.SchemaElement]{f.Schema[1]}, mostColumns+1)...)
			f.RowGroups, f.NumRows = nil, 0
		},
	} {
		footer := footerOf(t, valid)
		damage(footer)
		if _, err := openBytes(withFooter(valid, footerText(t, footer))); err != errDamaged {
			t.Errorf("%s: %v", name, err)
		}
	}
	footer := footerText(t, footerOf(t, valid))
	if _, err := openBytes(withFooter(valid, footer)); err != nil {
		t.Errorf("undamaged: %v", err)
	}
	encrypted := withFooter(valid, footer)
	copy(encrypted, "PARE")
	signed := withFooter(valid, append(footer, make([]byte, 28)...))
	otherHead := bytes.Clone(encrypted)
	copy(encrypted[len(encrypted)-4:], "PARE")
	for name, refused := range map[string]struct {
		data []byte
		want error
	}{
		"encrypted":    {encrypted, errEncrypted},
		"signed":       {signed, errEncrypted},
		"another head": {otherHead, errDamaged},
		"no footer":    {withFooter(valid, nil), errDamaged},
		"more behind":  {withFooter(valid, append(footer, 0)), errDamaged},
		"short":        {[]byte("PAR1PAR1"), errBreaksOff},
		"nothing":      {nil, errBreaksOff},
	} {
		if _, err := openBytes(refused.data); err != refused.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func openBytes(data []byte) (*File, error) { return Open(bytes.NewReader(data), int64(len(data))) }

// TestChunksOutside: what is not in the file is not read, and no room is made for it.
func TestChunksOutside(t *testing.T) {
	valid := users(t, &parquet.Snappy, 1)
	for name, damage := range map[string]func(c *format.ColumnMetaData){
		"before": func(c *format.ColumnMetaData) { c.DataPageOffset, c.DictionaryPageOffset = -5, 0 },
		"behind": func(c *format.ColumnMetaData) { c.DataPageOffset, c.DictionaryPageOffset = 1<<62, 0 },
		"empty":  func(c *format.ColumnMetaData) { c.TotalCompressedSize = -1 },
		"longer": func(c *format.ColumnMetaData) { c.TotalCompressedSize = 1 << 62 },
	} {
		footer := footerOf(t, valid)
		damage(&footer.RowGroups[0].Columns[1].MetaData)
		data, path := withFooter(valid, footerText(t, footer)), filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		source, err := os.Open(path) // whose errors have a path
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		file, err := Open(source, int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if left := file.pagesOf(0, 1).left; left > int64(len(data)) {
			t.Errorf("%s: %d bytes of %d", name, left, len(data))
		}
		file.Ask([]int{1})
		if _, err := file.Next(); err != errDamaged {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// hostile are texts in Thrift's compact protocol that are short, and cost whoever believes them all
// memory, or all of a stack.
var hostile = map[string]string{
	"a list of 2 billion elements":   "\x15\x02\x19\xfc\xff\xff\xff\xff\x07",
	"a list of 2 billion row groups": "\x15\x02\x19\x0c\x16\x00\x19\xfc\xff\xff\xff\xff\x07",
	"a map of 2 billion":             "\xfb\xff\xff\xff\xff\x07\x88",
	"a text of 2 billion":            "\x58\xff\xff\xff\xff\x07",
	"structs in structs":             strings.Repeat("\x1c", 4<<20),
	"lists in lists":                 "\xf9" + strings.Repeat("\x19", 4<<20),
	"maps in maps":                   "\xfb" + strings.Repeat("\x01\xbb", 4<<20),
	"no end of a number":             "\x15" + strings.Repeat("\xff", 100),
	"an unknown kind":                "\x1e\x00",
	"a list of an unknown kind":      "\x19\x1f\x00\x00",
	"no end":                         "\x15\x02",
}

// TestDecodeHostile: neither as a footer nor as the header of a page does a text cost more memory than it
// is worth.
func TestDecodeHostile(t *testing.T) {
	for name, text := range hostile {
		for _, v := range []any{new(footer), new(format.PageHeader)} {
			data := []byte(text)
			before := allocated()
			if _, err := decode(data, v); err != errDamaged {
				t.Errorf("%s: %v", name, err)
			}
			if asked := allocated() - before; asked > 1<<20 {
				t.Errorf("%s: %d bytes asked for", name, asked)
			}
		}
	}
}

// TestDecodeLength: a struct is as long as the library says, whatever kinds of fields it has.
func TestDecodeLength(t *testing.T) {
	type inner struct {
		Is    bool    `thrift:"1"`
		Small int8    `thrift:"2"`
		Text  []byte  `thrift:"40"`
		Far   float64 `thrift:"41"`
	}
	type all struct {
		Is     bool              `thrift:"1"`
		IsNot  bool              `thrift:"2,writezero"`
		Number int16             `thrift:"3"`
		Truths []bool            `thrift:"4"`
		Long   []int64           `thrift:"5"`
		Inners []inner           `thrift:"6"`
		Set    map[string]bool   `thrift:"7"`
		None   map[int32]string  `thrift:"8"`
		Deep   map[int32][]inner `thrift:"9"`
	}
	some := []inner{{true, -1, []byte("text"), 1.5}, {}}
	text := footerText(t, &all{Is: true, Number: -300, Truths: []bool{true, false}, Long: make([]int64, 20), Inners: some,
		Set: map[string]bool{"a": true, "": false}, None: map[int32]string{}, Deep: map[int32][]inner{7: some, -1: nil}})
	for _, v := range []any{new(all), new(struct {
		Other string `thrift:"1"`
	})} {
		if n, err := decode(append(bytes.Clone(text), "behind"...), v); n != len(text) || err != nil {
			t.Errorf("%T: %d bytes of %d, %v", v, n, len(text), err)
		}
		for n := range text {
			if _, err := decode(text[:n], v); err != errDamaged {
				t.Errorf("%T: the first %d bytes: %v", v, n, err)
			}
		}
	}
}

// FuzzFooter reads files with any footer.
func FuzzFooter(f *testing.F) {
	base := users(f, &parquet.Snappy, 1)
	for _, data := range [][]byte{base, encoded(f, 2)} {
		f.Add(footerText(f, footerOf(f, data)))
	}
	for _, text := range hostile {
		if len(text) < 1<<10 {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte(strings.Repeat("\x1c", 1<<10)))
	f.Fuzz(func(t *testing.T, footer []byte) {
		if _, asked, _ := readAll(t, withFooter(base, footer), len(footer)%ways); asked > mostMemory {
			t.Errorf("%d MiB", asked>>20)
		}
	})
}
