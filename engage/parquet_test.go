package engage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"gleapsync/internal/attr"
	"gleapsync/internal/keys"
	"gleapsync/internal/values"
)

// warehouses are the files in testdata, and the same as CSV.
var warehouses = map[string]string{
	"redshift.parquet": `user_id,first_time_shopper,total_orders,points,revenue,score,ratio,first_seen,last_login,raw
u1,true,7,1,49.9,0.1,0.1,2026-11-20,2026-11-20T08:15:00.25Z,"x,y"
007,false,-1,9007199254740993,-0.05,-2,1000000,1969-12-31,1969-12-31T23:59:59Z,
u3,,,,,,,,,
`,
	"snowflake.parquet": `USER_ID,FIRST_TIME_SHOPPER,TOTAL_ORDERS,REVENUE,SMALL,SCORE,FIRST_SEEN,LAST_LOGIN,NANOS,PROFILE
u1,true,7,49.9,0.5,0.1,2026-11-20,2026-11-20T08:15:00.25Z,2026-11-20T08:15:00.000000001Z,"{""a"": 1}"
007,false,-12345678901234567890123456789012345678,-0.00001,-1234567,-2,1969-12-31,1969-12-31T23:59:59Z,1969-12-31T23:59:59Z,"[""x"",""y""]"
u3,,,,,,,,,
`,
	"bigquery.parquet": `user_id,first_time_shopper,total_orders,revenue,score,ratio,first_seen,last_login,tags,numbers,profile,big,device
u1,true,7,49.9,0.1,1.5,2026-11-20,2026-11-20T08:15:00.25Z,"[""red"",""a \""b\"""",null]","[1,2]","{""a"": 1}",18446744073709551615,3b241101-e2bb-4255-8caf-4136c566a962
007,false,-9007199254740993,-0.000000001,1000000000000000000000,0.1,1969-12-31,1969-12-31T23:59:59Z,[],[],[],0,
u3,,,,,,,,,,,,
`,
}

// columnTexts returns the rows of a file as text, through a layout that wants all columns.
func columnTexts(t *testing.T, e Export) [][]string {
	t.Helper()
	source, err := e.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	names, err := source.Header(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		e.Attributes = append(e.Attributes, Attribute{Kind: Trait, Key: keys.Snake(name), Column: name})
	}
	table, err := source.open(t.Context(), source.inputs.All[0], e.Attributes)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLayout(names, e)
	if err != nil {
		t.Fatal(err)
	}
	if asked, ok := table.(askedTable); ok {
		asked.Ask(l.columns())
	}
	texts := [][]string{names}
	for {
		cells, err := table.Next()
		if err == io.EOF {
			if err := table.Close(); err != nil {
				t.Fatal(err)
			}
			return texts
		}
		if err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(cells))
		for i, cell := range cells {
			row[i] = string(cell)
		}
		texts = append(texts, row)
	}
}

func TestParquetSaysWhatCSVSays(t *testing.T) {
	for name, text := range warehouses {
		t.Run(name, func(t *testing.T) {
			want := columnTexts(t, Export{Source: "a.csv", Dir: write(t, "a.csv", text)})
			if name != "bigquery.parquet" { // two row groups
				want = append(want, want[1:]...)
			}
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			temp := t.TempDir()
			dir := write(t, "plain", string(data), "gzip", gzipped(string(data)), "zstd", zstded(string(data)))
			for _, file := range []string{"plain", "gzip", "zstd"} {
				for _, format := range []Format{AnyFormat, Parquet} {
					got := columnTexts(t, Export{Source: file, Dir: dir, Format: format, TempDir: temp})
					if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
						t.Errorf("%s %s:\n got %q\nwant %q", file, format, got, want)
					}
				}
			}
			if left, _ := os.ReadDir(temp); len(left) > 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

func TestParquetExport(t *testing.T) {
	got, result, err := rows(Export{
		Source: "testdata/snowflake.parquet", Dir: ".",
		Attributes: []Attribute{
			{Kind: Audience, Key: "first_time_shopper", Column: "FIRST_TIME_SHOPPER"},
			{Kind: Trait, Key: "total_orders", Column: "TOTAL_ORDERS", Type: values.Number},
		},
		Fields: []string{"last_login"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`u1: true 7 "2026-11-20T08:15:00.25Z"`, `007: false null "1969-12-31T23:59:59Z"`, `u3: null null null`}
	if want = append(want, want...); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if result.Rows != 6 || len(result.Problems) != 2 || result.Problems[1].String() != "testdata/snowflake.parquet:5: column TOTAL_ORDERS: the value is not a number that JSON can hold exactly" {
		t.Errorf("result %+v", result)
	}
}

// TestParquetReadsOnlyWhatIsNeeded damages the pages of a column that nobody wants.
func TestParquetReadsOnlyWhatIsNeeded(t *testing.T) {
	data := parquetUsers(t, 1000, 1, 1, &parquet.Zstd)
	e := Export{Source: "a", Attributes: []Attribute{{Kind: Audience, Key: "a00", Column: "a00"}}}
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range file.Metadata().RowGroups[0].Columns {
		path := chunk.MetaData.PathInSchema[0]
		damaged := bytes.Clone(data)
		at := chunk.MetaData.DataPageOffset
		copy(damaged[at:at+40], make([]byte, 40))
		e.Dir = write(t, "a", string(damaged))
		got, _, err := rows(e)
		if path == "t00" {
			if err != nil || len(got) != 1000 {
				t.Errorf("%s: %d rows, %v", path, len(got), err)
			}
		} else if err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

// parquetUsers writes users with audiences and traits, in row groups of 100,000.
func parquetUsers(t testing.TB, users, audiences, traits int, codec compress.Codec, options ...parquet.WriterOption) []byte {
	t.Helper()
	group := parquet.Group{"user_id": parquet.String()}
	for i := range audiences {
		group[fmt.Sprintf("a%02d", i)] = parquet.Optional(parquet.Leaf(parquet.BooleanType))
	}
	for i := range traits {
		group[fmt.Sprintf("t%02d", i)] = parquet.Optional(parquet.Leaf(parquet.Int64Type))
	}
	var out bytes.Buffer
	options = append(options, parquet.NewSchema("users", group), parquet.Compression(codec), parquet.MaxRowsPerRowGroup(100_000))
	w := parquet.NewGenericWriter[any](&out, options...)
	row := make(parquet.Row, 1+audiences+traits) // a… t… user_id, as a group sorts them
	for u := range users {
		for i := range audiences {
			row[i] = parquet.BooleanValue((u+i)%3 == 0).Level(0, 1, i)
		}
		for i := range traits {
			row[audiences+i] = parquet.Int64Value(int64(u*(i+1)%100_000)).Level(0, 1, audiences+i)
		}
		row[audiences+traits] = parquet.ByteArrayValue(fmt.Appendf(nil, "u%016x", u*7919)).Level(0, 0, audiences+traits)
		if _, err := w.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestParquetCompressions(t *testing.T) {
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Zstd, &parquet.Lz4Raw, &parquet.Brotli} {
		e := Export{Source: "a", Dir: write(t, "a", string(parquetUsers(t, 5000, 1, 1, codec))), Attributes: []Attribute{
			{Kind: Audience, Key: "a00", Column: "a00"}, {Kind: Trait, Key: "t00", Column: "t00"},
		}}
		got, _, err := rows(e)
		if err != nil || len(got) != 5000 || got[4999] != "u"+fmt.Sprintf("%016x", 4999*7919)+": false 4999" {
			t.Errorf("%s: %d rows, %v", codec, len(got), err)
		}
	}
}

func TestParquetRefused(t *testing.T) {
	data, err := os.ReadFile("testdata/redshift.parquet")
	if err != nil {
		t.Fatal(err)
	}
	footer := bytes.Clone(data)
	footer[len(footer)-9] ^= 0xff
	size := bytes.Clone(data)
	size[len(size)-6] = 0xff
	element := bytes.Clone(data)
	element[2726] ^= 1 // of the schema
	header, _, _ := strings.Cut(warehouses["redshift.parquet"], "\n")
	for _, test := range []struct {
		name, data string
		format     Format
		want       string
	}{
		{"cut", string(data[:len(data)-20]), AnyFormat, "a: its Parquet data breaks off: the export is not complete; export it again, and the next run takes it"},
		{"magic", "PAR1", AnyFormat, "a: its Parquet data breaks off: the export is not complete; export it again, and the next run takes it"},
		{"footer size", string(size), AnyFormat, "a: its Parquet data is damaged: export it again"},
		{"schema element", string(element), AnyFormat, "a: its Parquet data is damaged: export it again"},
		{"schema", "PAR1\xff\xff\xff\xff\x04\x00\x00\x00PAR1", AnyFormat, "a: its Parquet data is damaged: export it again"},
		{"gzip", gzipped(string(data))[:900], AnyFormat, "a: its gzip data breaks off: the export is not complete; export it again, and the next run takes it"},
		{"CSV", "user_id\nu1\n", Parquet, "a: the file is no Parquet"},
		{"empty", "", Parquet, "a: the file is empty: it has no header"},
	} {
		e := Export{Source: "a", Dir: write(t, "a", test.data), Format: test.format, Attributes: []Attribute{audience}, Fields: strings.Split(header, ",")}
		if _, _, err := rows(e); err == nil || err.Error() != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestParquetChangedWhileRead(t *testing.T) {
	data, err := os.ReadFile("testdata/redshift.parquet")
	if err != nil {
		t.Fatal(err)
	}
	e := Export{Source: "a", Dir: write(t, "a", string(data)), Attributes: []Attribute{audience}}
	source, err := e.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Read(context.Background(), e.Attributes, func([]byte, []attr.Value) error {
		return os.WriteFile(filepath.Join(e.Dir, "a"), append(data, data...), 0o600)
	})
	if err == nil || err.Error() != "a changed while it was read" {
		t.Error(err)
	}
}

// BenchmarkParquet reads a table of users as Parquet and as CSV. MB are those of the CSV
// rows of all columns, so that the forms compare; the columns' number is how many are read.
func BenchmarkParquet(b *testing.B) {
	const users, audiences, traits = 1_000_000, 20, 10
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "users.parquet"), parquetUsers(b, users, audiences, traits, &parquet.Snappy), 0o600); err != nil {
		b.Fatal(err)
	}
	var all []Attribute
	for i := range audiences {
		key := fmt.Sprintf("a%02d", i)
		all = append(all, Attribute{Kind: Audience, Key: key, Column: key})
	}
	for i := range traits {
		key := fmt.Sprintf("t%02d", i)
		all = append(all, Attribute{Kind: Trait, Key: key, Column: key, Type: values.Auto})
	}
	var text bytes.Buffer
	text.WriteString("user_id")
	for _, a := range all {
		text.WriteString("," + a.Key)
	}
	for u := range users {
		fmt.Fprintf(&text, "\nu%016x", u*7919)
		for i := range audiences {
			fmt.Fprintf(&text, ",%t", (u+i)%3 == 0)
		}
		for i := range traits {
			fmt.Fprintf(&text, ",%d", u*(i+1)%100_000)
		}
	}
	text.WriteByte('\n')
	if err := os.WriteFile(filepath.Join(dir, "users.csv"), text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, columns := range []struct {
		name       string
		attributes []Attribute
	}{
		{"3 columns", []Attribute{all[0], all[audiences]}},
		{"all columns", all},
	} {
		for _, file := range []string{"users.parquet", "users.csv"} {
			b.Run(columns.name+"/"+file, func(b *testing.B) {
				b.SetBytes(int64(text.Len()))
				b.ReportAllocs()
				for b.Loop() {
					source, err := Export{Source: file, Dir: dir, Attributes: columns.attributes}.Open(context.Background())
					if err != nil {
						b.Fatal(err)
					}
					n := 0
					result, err := source.Read(context.Background(), columns.attributes, func([]byte, []attr.Value) error { n++; return nil })
					if err != nil || n != users || result.Invalid > 0 {
						b.Fatal(n, result, err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/users, "ns/row")
			})
		}
	}
}

// TestParquetListOfFloats: an item that is no number says nothing, as in JSON's lists.
func TestParquetListOfFloats(t *testing.T) {
	type row struct {
		UserID string    `parquet:"user_id"`
		N      []float64 `parquet:"n"`
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, []row{{"u1", []float64{1.5, math.NaN(), 2}}, {"u2", []float64{math.Inf(1)}}, {"u3", nil}}); err != nil {
		t.Fatal(err)
	}
	n := Attribute{Kind: Trait, Key: "n", Name: "n", Column: "n", Type: values.Text}
	got, _, err := rows(Export{Source: "x", Dir: write(t, "x", b.String()), Attributes: []Attribute{n}})
	if want := []string{`u1: "1.5, 2"`, "u2: null", "u3: null"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}
