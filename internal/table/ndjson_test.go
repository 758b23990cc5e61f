package table

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// strict are rules: each line has the first column, and none the new member late.
type strict struct{}

func (strict) CheckNew(name string) error {
	if name == "late" {
		return errors.New("comes late")
	}
	return nil
}

func (strict) CheckLine(cells [][]byte, _ []byte) string {
	if cells[0] == nil {
		return "the first column is missing"
	}
	return ""
}

// TestNDJSON: what is wanted is found wherever it comes, and lines follow the rules.
func TestNDJSON(t *testing.T) {
	open := func(text string) *NDJSON {
		// Lines behind what a buffer holds.
		table, err := Open(t.Context(), input(`{"a":1,"in":{"b":2}}`+"\n"+`{"a":"`+strings.Repeat("x", 1<<20)+`"}`+"\n"+text), Options{EndsLines: true})
		if err != nil {
			t.Fatal(err)
		}
		lines := table.(*NDJSON)
		lines.Want("in.b", false, nil)
		lines.Want("A", false, nil)          // is there
		lines.Want("within", true, nil)      // may be within another
		lines.Want("C", false, []string{""}) // is not
		lines.Check(strict{})
		if names := lines.Columns(); !slices.Equal(names, []string{"a", "in", "in.b", "C"}) {
			t.Errorf("columns %q", names)
		}
		return lines
	}
	const first = `1 ["1" "{\"b\":2}" "2" ""] <nil>`
	for text, want := range map[string][]string{
		`{"a":1,"in":{"b":null},"C":[2]}` + "\n": {`3 ["1" "{\"b\":null}" "" "[2]"] <nil>`},
		`{"a":1,"c":2}` + "\n":                   {`3 ["1" "" "" "2"] <nil>`},
		`{"A":1}` + "\n":                         {`3 [] line 3: the first column is missing`}, // beside "a" it is another one
		"\n[]\n{\"a\":null}\n":                   {`4 [] line 4: the line is no JSON object`, `5 [] line 5: the first column is missing`},
		`{"a":1}`:                                {`3 [] line 3: ` + cutOff},
		`{"a":1`:                                 {ErrTruncated.Error()},
		`{"a":1,"late":2}` + "\n":                {"line 3 comes late"},
	} {
		table := open(text)
		got, err := said(nil, table.Next, table.Line)
		if err != io.EOF {
			got = append(got, err.Error())
		}
		if len(got) < 2 || got[0] != first || !slices.Equal(got[2:], want) {
			t.Errorf("%s: %.100q, want %q", text, got, want)
		}
	}
	names, err := open(`{"new":{"not":1},"in":{"m":1,"a":2},"a":3}`+"\n").AppendNames([]string{"known", "b"}, "in")
	if want := []string{"known", "b", "a", "in", "new", "m"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v, want %q", names, err, want)
	}
}

// TestOpen: the first bytes tell the form, unless the settings do.
func TestOpen(t *testing.T) {
	for _, test := range []struct {
		text   string
		format Format
		want   string // the columns, or the error
	}{
		{"a;b\n1;2\n", FormatAny, "[a b]"},
		{" \n{\"a\":1,\"b\":2}\n", FormatAny, "[a b]"},
		{"{\"a\":1}\n", FormatCSV, "x: the header is no CSV"},
		{"", FormatAny, "x: the file is empty: it has no header"},
		{"\n", FormatNDJSON, "x: the file is empty"},
		{"a,b\n", FormatParquet, "x: the file is no Parquet"},
		{"a,\"b\n", FormatCSV, "x: " + ErrTruncated.Error()},
		{"PK\x03\x04", FormatAny, "x: the file is a zip archive"},
	} {
		table, err := Open(t.Context(), input(test.text), Options{Format: test.format})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = "[" + strings.Join(table.Columns(), " ") + "]"
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%q as %s: %s, want %s", test.text, test.format, got, test.want)
		}
	}
}
