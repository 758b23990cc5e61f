package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll returns every row, a broken one as "broken: reason", and the error
// that ended the input.
func readAll(r io.Reader, comma byte, max int) (rows [][]string, end error) {
	c := newCSVReader(r, comma)
	if max > 0 {
		c.max, c.buf = max, make([]byte, 16)
	}
	for {
		fields, err := c.next()
		var broken *RowError
		switch {
		case errors.As(err, &broken):
			rows = append(rows, []string{fmt.Sprintf("broken %d: %s", broken.Line, broken.Reason)})
			continue
		case err == io.EOF:
			return rows, nil
		case err != nil:
			return rows, err
		}
		row := make([]string, len(fields))
		for i, f := range fields {
			row[i] = string(f)
		}
		rows = append(rows, row)
	}
}

func TestCSVReader(t *testing.T) {
	const bare, after = "a quote inside a field without quotes", "text after a closing quote"
	for _, test := range []struct {
		name, input string
		comma       byte
		want        [][]string
		end         error
	}{
		{name: "simple", input: "a,b,c\n", want: [][]string{{"a", "b", "c"}}},
		{name: "crlf", input: "a,b\r\nc,d\r\n", want: [][]string{{"a", "b"}, {"c", "d"}}},
		{name: "bare cr", input: "a,b\rc,d\r\n", want: [][]string{{"a", "b\rc", "d"}}},
		{name: "no line break at the end", input: "a,b\nc,d", want: [][]string{{"a", "b"}, {"c", "d"}}},
		{name: "semicolon", input: "a;b,c\n", comma: ';', want: [][]string{{"a", "b,c"}}},
		{name: "tab", input: "a\tb\n", comma: '\t', want: [][]string{{"a", "b"}}},
		{name: "quoted comma and break", input: "\"a,1\",\"b\n2\"\nc,d\n", want: [][]string{{"a,1", "b\n2"}, {"c", "d"}}},
		{name: "quoted crlf", input: "\"a\r\nb\",c\r\n", want: [][]string{{"a\nb", "c"}}},
		{name: "doubled quotes", input: "\"a\"\"b\"\"\",\"\"\"\"\n", want: [][]string{{`a"b"`, `"`}}},
		{name: "empty fields", input: ",\n\"\",\n,\"\"", want: [][]string{{"", ""}, {"", ""}, {"", ""}}},
		{name: "empty lines", input: "a\n\n\r\nb\n", want: [][]string{{"a"}, {"b"}}},
		{name: "quote at the end of input", input: `a,"b"`, want: [][]string{{"a", "b"}}},
		{name: "quote, cr and the end", input: "a,\"b\"\r", want: [][]string{{"a", "b"}}},
		{name: "different lengths", input: "a\nb,c\n", want: [][]string{{"a"}, {"b", "c"}}},
		{name: "bare quote", input: "a,b\"c\nd,e\n", want: [][]string{{"broken 1: " + bare}, {"d", "e"}}},
		{name: "text after quote", input: "x,y\n\"a\"b,c\nd,e\n", want: [][]string{{"x", "y"}, {"broken 2: " + after}, {"d", "e"}}},
		{name: "stray quote", input: "a\n\"b\nc\nd\n\"e\"\nf\n", want: [][]string{{"a"}, {"broken 2: " + after}, {"c"}, {"d"}, {"e"}, {"f"}}},
		{name: "lines are counted through breaks in quotes", input: "\"a\nb\"\n\nx\"\n", want: [][]string{{"a\nb"}, {"broken 4: " + bare}}},
		{name: "ends in quotes", input: "a,b\nc,\"d\ne", want: [][]string{{"a", "b"}}, end: ErrTruncated},
		{name: "ends after opening quote", input: `a,"`, end: ErrTruncated},
		{name: "not utf-8", input: "\xff,b\n", want: [][]string{{"\xff", "b"}}},
		{name: "empty", input: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			comma := max(test.comma, ',')
			if test.comma != 0 {
				comma = test.comma
			}
			for _, r := range []io.Reader{strings.NewReader(test.input), iotest.OneByteReader(strings.NewReader(test.input)), iotest.DataErrReader(strings.NewReader(test.input))} {
				rows, end := readAll(r, comma, 0)
				if !reflect.DeepEqual(rows, test.want) || !errors.Is(end, test.end) {
					t.Errorf("got %q, %v\nwant %q, %v", rows, end, test.want, test.end)
				}
			}
		})
	}
}

func TestCSVReaderEndsAtLongRows(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, row := range []string{long + ",c\n", long, "d,\"" + long + "\n" + long + "\"\n", "d,\"" + long, "d,\"" + strings.Repeat("e,f\n", 30)} {
		rows, err := readAll(strings.NewReader("a,b\n"+row+"e,f\n"), ',', 64)
		if fmt.Sprint(rows) != "[[a b]]" || err == nil || !strings.HasPrefix(err.Error(), "line 2: a row is longer than 16 MiB") {
			t.Errorf("%q: got %v, %v", row, rows, err)
		}
	}
}

func TestCSVReaderReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, start := range []string{"", "a,b", "a,\"b", "a,\"b\nc", "a\"b", "a,b\nc,d"} {
		if _, err := readAll(io.MultiReader(strings.NewReader(start), iotest.ErrReader(broken)), ',', 0); err != broken {
			t.Errorf("after %q: %v", start, err)
		}
	}
}

// FuzzCSVReader holds the reader against encoding/csv: the same rows wherever
// that finds no fault, and a fault wherever that finds one.
func FuzzCSVReader(f *testing.F) {
	for _, input := range []string{"a,b\n", "\"a\r\n\"\"b\",c\r\nd", "a\"b\nc,\"d", "\n\r\n,\n", "\"a\"\r\n\"b\"\r", "x\r"} {
		f.Add([]byte(input), byte(','))
	}
	f.Add([]byte("a\tb\n"), byte('\t'))
	f.Fuzz(func(t *testing.T, input []byte, comma byte) {
		if !strings.ContainsRune(",;\t|:", rune(comma)) {
			return
		}
		got, end := readAll(bytes.NewReader(input), comma, 0)
		pieces, pieceEnd := readAll(iotest.OneByteReader(bytes.NewReader(input)), comma, 0)
		if !reflect.DeepEqual(got, pieces) || (end == nil) != (pieceEnd == nil) {
			t.Fatalf("at once: %q, %v; byte by byte: %q, %v", got, end, pieces, pieceEnd)
		}
		library := csv.NewReader(bytes.NewReader(input))
		library.Comma, library.FieldsPerRecord = rune(comma), -1
		for i := 0; ; i++ {
			want, err := library.Read()
			if err == io.EOF {
				if len(got) != i || end != nil {
					t.Fatalf("%d rows more than %d, %v: %q", len(got)-i, i, end, got)
				}
				return
			}
			if err != nil { // from here on the two may go on differently
				if i < len(got) && !strings.HasPrefix(got[i][0], "broken ") || i >= len(got) && end == nil {
					t.Fatalf("row %d: the library says %v, we read %q, %v", i, err, got[i:], end)
				}
				return
			}
			if i >= len(got) || !reflect.DeepEqual(got[i], want) {
				t.Fatalf("row %d: got %q, %v, want %q", i, got[min(i, len(got)):], end, want)
			}
		}
	})
}

func benchmarkRows() []byte {
	var b bytes.Buffer
	b.WriteString("key,external_ids,user_id,email\n")
	for i := range 100_000 {
		fmt.Fprintf(&b, "use_%010d,\"{\"\"user_id\"\":[\"\"user-%d\"\"]}\",user-%d,someone%d@example.com\n", i, i, i, i)
	}
	return b.Bytes()
}

func BenchmarkCSVReader(b *testing.B) {
	input := benchmarkRows()
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		c := newCSVReader(bytes.NewReader(input), ',')
		for {
			if _, err := c.next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkEncodingCSV(b *testing.B) {
	input := benchmarkRows()
	b.SetBytes(int64(len(input)))
	b.ReportAllocs()
	for b.Loop() {
		c := csv.NewReader(bytes.NewReader(input))
		c.ReuseRecord = true
		for {
			if _, err := c.Read(); err != nil {
				break
			}
		}
	}
}
