package engage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/userid"
	"gleapsync/internal/values"
)

// write puts files into a folder of their own, in order of their age.
func write(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.WriteFile(path, []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Date(2026, 3, 1, 0, i, 0, 0, time.UTC)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// rows reads an export and returns what it said, one "id: value value" a row.
func rows(e Export) ([]string, Result, error) {
	got, result, err := readLines(context.Background(), e, ": ")
	for i := range result.Attributes {
		result.Attributes[i].Fits = values.Fits{}
	}
	result.FirstUnknown, result.Fields = Problem{}, nil
	return got, result, err
}

// readLines returns what an export says, a line for each row: the user id and the values.
func readLines(ctx context.Context, e Export, separator string) ([]string, Result, error) {
	source, err := e.Open(ctx)
	if err != nil {
		return nil, Result{}, err
	}
	var ids []string
	var all [][]attr.Value
	result, err := source.Read(ctx, e.Attributes, func(id []byte, cells []attr.Value) error {
		ids = append(ids, string(id))
		row := make([]attr.Value, len(cells))
		for i, cell := range cells {
			row[i] = cell.Clone()
		}
		all = append(all, row)
		return nil
	})
	var got []string
	for n, row := range all {
		var texts []string
		for i, v := range row {
			if i < len(e.Attributes) {
				v = converted(e.Attributes[i], result.Attributes[i].Fits, v)
			}
			texts = append(texts, string(v.AppendJSON(nil)))
		}
		got = append(got, ids[n]+separator+strings.Join(texts, " "))
	}
	return got, result, err
}

// converted makes the value of what was read once all of it was.
func converted(a Attribute, fits values.Fits, v attr.Value) attr.Value {
	if a.Kind == Trait && a.Type == values.Auto && a.Known == "" {
		v, _ = values.Convert(fits.Type(), v)
	}
	return v
}

var audience = Attribute{Kind: Audience, Key: "shopper", Name: "Shopper"}

func trait(typ values.Type) Attribute {
	return Attribute{Kind: Trait, Key: "total_orders", Name: "Total Orders", Type: typ}
}

func TestForms(t *testing.T) {
	users := []string{"u1: true", "u2: true"}
	for _, test := range []struct {
		name      string
		text      string
		export    Export
		attribute Attribute
		want      []string
		result    Result
	}{
		{
			name: "audience, unformatted, older",
			text: "key,external_ids\nuse_1,\"{\"\"user_id\"\":[\"\"u1\"\"],\"\"email\"\":[\"\"a@x.io\"\",\"\"b@x.io\"\"]}\"\nuse_2,\"{\"\"user_id\"\":[\"\"u2\"\"]}\"\n",
			want: users,
		}, {
			name:   "audience, unformatted, newer, with contact fields from both objects",
			text:   "key,external_ids,traits\nuse_1,\"{\"\"user_id\"\":[\"\"u1\"\"],\"\"email\"\":[\"\"a@x.io\"\"]}\",\"{\"\"first_name\"\":\"\"Ada\"\"}\"\n",
			export: Export{Fields: []string{"email", "first_name", "phone"}},
			want:   []string{`u1: true "a@x.io" "Ada" null`},
		}, {
			name:   "audience, formatted, indexed columns",
			text:   "key,external_ids,user_id,user_id_1,anonymous_id,email,email_1\nuse_1,{},u1,u1b,an,a@x.io,b@x.io\nuse_2,{},u2,,,,\n",
			export: Export{Fields: []string{"email"}},
			want:   []string{`u1: true "a@x.io"`, `u1b: true "a@x.io"`, "u2: true null"},
		}, {
			name: "audience, formatted, repeated rows",
			text: "key,external_ids,user_id,email\nuse_1,\"{“user_id”:[“u1”]}\",u1,a@x.io\nuse_1,\"{“user_id”:[“u1”]}\",,b@x.io\nuse_2,,u2,\n",
			want: users, // the second row's profile has its id from the first
		}, {
			name: "no id but in JSON that does not parse",
			text: "key,external_ids,user_id\nuse_1,\"{“user_id”:[“u1”]}\",\nuse_2,,u2\n",
			want: users[1:],
			result: Result{Invalid: 1, Unknown: 1, Problems: []Problem{
				{Line: 2, Reason: "external_ids is no JSON object, and no other column holds a user id"},
			}},
		}, {
			name: "curly quotes in external_ids, as in Segment's samples",
			text: "key,external_ids,user_id\nuse_1,\"{“user_id”:[“u1”]}\",u1\nuse_2,\"{“user_id”:[“u2”]}\",u2\n",
			want: users,
		}, {
			name:      "trait, unformatted",
			text:      "key,value,external_ids\nuse_1,12.5,\"{\"\"user_id\"\":[\"\"u1\"\"]}\"\n",
			attribute: trait(values.Auto),
			want:      []string{"u1: 12.5"},
		}, {
			name:      "trait, formatted",
			text:      "key,value,external_ids,user_id,email\nuse_1,gold,{},u1,a@x.io\n",
			attribute: trait(values.Auto),
			want:      []string{`u1: "gold"`},
		}, {
			name:      "trait in the JSON of traits",
			text:      "key,external_ids,traits\nuse_1,\"{\"\"user_id\"\":[\"\"u1\"\"]}\",\"{\"\"total_orders\"\":9007199254740993}\"\n",
			attribute: trait(values.Auto),
			want:      []string{`u1: "9007199254740993"`},
		}, {
			name:      "trait in a column of its own",
			text:      "USER_ID,TOTAL_ORDERS\nu1,3\n",
			attribute: trait(values.Number),
			want:      []string{"u1: 3"},
		}, {
			name: "audience with a column of its own name",
			text: "user_id,Shopper\nu1,true\nu2,f\nu3,\nu4,NULL\nu5,maybe\n",
			want: []string{"u1: true", "u2: false", "u3: null", "u4: null", "u5: null"},
			result: Result{Attributes: []AttributeResult{{Invalid: 1}}, Problems: []Problem{
				{Line: 6, Column: "shopper", Reason: "the value is neither true nor false: true, t, 1, yes, false, f, 0 and no are taken"},
			}},
		},
		{name: "byte order mark and CRLF", text: "\ufeff\"user_id\",x\r\nu1,\r\nu2,\r\n", want: users},
		{name: "tab", text: "user_id\tx\nu1\t1,5\nu2\t\n", want: users},
		{name: "pipe", text: "x|user_id\n1|u1\n2|u2\n", want: users},
		{name: "colon", text: "x:user_id\n1:u1\n2:u2\n", want: users},
		{name: "semicolon", text: "x;user_id;a,b,c,d\n1;u1;\n2;u2;\n", want: users},
		{name: "delimiter set", text: "user_id;x\nu1;\nu2;\n", export: Export{Delimiter: ';'}, want: users},
		{name: "userId", text: "email,userId\na@x.io,u1\n,u2\n", want: users},
		{name: "user_id goes before userId", text: "userId,user_id\nno,u1\nno,u2\n", want: users},
		{name: "column set", text: "id,user_id\nu1,no\nu2,no\n", export: Export{UserID: "id"}, want: users},
		{name: "key only if set", text: "key,external_ids\nu1,{}\nu2,{}\n", export: Export{UserID: "key"}, want: users},
		{
			name: "ids stay as they are", text: "user_id,x\n007,\n9007199254740993,\n1e3,\n\"a,\"\"b\"\" \",\n",
			want: []string{"007: true", "9007199254740993: true", "1e3: true", "a,\"b\" : true"},
		},
		{
			name: "numbers among the external ids", text: "key,external_ids\nuse_1,\"{\"\"user_id\"\":[12345678901234567890,\"\"007\"\"]}\"\n",
			want: []string{"12345678901234567890: true", "007: true"},
		}, {
			name: "first id", export: Export{Identifiers: FirstID},
			text: "key,external_ids,user_id\nuse_1,{},u1\nuse_1,{},u1b\nuse_2,{},u2\n",
			want: []string{"u1: true", "u1: true", "u2: true"},
		}, {
			name: "last id", export: Export{Identifiers: LastID},
			text: "key,external_ids,user_id\nuse_1,{},u1a\nuse_1,{},u1\nuse_2,\"{\"\"user_id\"\":[\"\"u2a\"\",\"\"u2\"\"]}\",\n",
			want: users,
		}, {
			name: "last id, blank on its own row", export: Export{Identifiers: LastID}, attribute: trait(values.Auto),
			text: "key,value,user_id\nuse_1,7,u1a\nuse_1,,u1\n",
			want: []string{"u1: 7"},
		}, {
			name: "a list makes all values texts", attribute: trait(values.Auto),
			text: "user_id,traits\nu1,\"{\"\"total_orders\"\":\"\"42\"\"}\"\nu2,\"{\"\"total_orders\"\":42}\"\nu3,\"{\"\"total_orders\"\":[1,\"\"b\"\"]}\"\nu4,\"{\"\"total_orders\"\":null}\"\nu5,\n",
			want: []string{`u1: "42"`, `u2: "42"`, `u3: "1, b"`, "u4: null", "u5: null"},
		}, {
			name: "broken JSON of traits", attribute: trait(values.Auto),
			text: "user_id,traits\nu1,{oops\n",
			want: []string{"u1: null"},
			result: Result{Attributes: []AttributeResult{{Invalid: 1}}, Problems: []Problem{
				{Line: 2, Column: "total_orders", Reason: "traits is no JSON object"},
			}},
		}, {
			name: "ids that are none", text: "key,external_ids\nuse_1,\"{\"\"user_id\"\":[{\"\"id\"\":\"\"u\"\"},true,null,\"\"null\"\"]}\"\nuse_2,\"{\"\"user_id\"\":\"\"u1\"\"}\"\n",
			want: users[:1], result: Result{WithoutUserID: 1},
		}, {
			name: "ids that are not UTF-8", text: "key,external_ids\nuse_1,\"{\"\"user_id\"\":[\"\"andr\xe9\"\"]}\"\n",
			result: Result{Invalid: 1, Unknown: 1, Problems: []Problem{
				{Line: 2, Reason: "external_ids is no JSON object, and no other column holds a user id"},
			}},
		}, {
			name: "rows without a user id", text: "key,external_ids,user_id\nuse_1,{},\nuse_2,\"{\"\"email\"\":[\"\"a@x.io\"\"]}\",NULL\nuse_3,,u1\n",
			want: []string{"u1: true"}, result: Result{WithoutUserID: 2},
		}, {
			name: "broken rows", text: "user_id,x\nu1\nu1,1\na,b,c\nx\"y,1\n\xff,1\nu2,2\n" + strings.Repeat("z", 1025) + ",\nu1\x1a,\n",
			want: users,
			result: Result{Invalid: 6, Unknown: 5, Problems: []Problem{
				{Line: 2, Reason: "the row has 1 fields, the header 2"},
				{Line: 4, Reason: "the row has 3 fields, the header 2"},
				{Line: 5, Reason: "a quote inside a field without quotes"},
				{Line: 6, Reason: "the user id is not UTF-8"},
				{Line: 8, Reason: "the user id is longer than 1024 bytes"},
			}},
		},
		{name: "no line break at the end", text: "user_id,x\nu1,\nu2,1", want: users},
		{name: "no rows", text: "user_id,x\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := test.export
			e.Dir, e.Source = write(t, "export.csv", test.text), "export.csv"
			e.Attributes = []Attribute{audience}
			if test.attribute.Key != "" {
				e.Attributes[0] = test.attribute
			}
			got, result, err := rows(e)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %q, %v\nwant %q", got, err, test.want)
			}
			if test.result.Attributes == nil {
				test.result.Attributes = make([]AttributeResult, 1)
			}
			for i := range test.result.Problems {
				test.result.Problems[i].File = "export.csv"
			}
			ends := EndsLine
			if !strings.HasSuffix(test.text, "\n") {
				ends = EndsWithout
			}
			if result.Ends != ends {
				t.Errorf("it ends %d, want %d", result.Ends, ends)
			}
			result.Rows, result.HasFields, result.Ends = 0, false, EndsUnseen
			if fmt.Sprint(result) != fmt.Sprint(test.result) {
				t.Errorf("got  %+v\nwant %+v", result, test.result)
			}
		})
	}
}

func TestTable(t *testing.T) {
	e := Export{
		Source: "users.csv",
		Dir:    write(t, "users.csv", "user_id,vip,churn_risk,total_orders\nu1,t,,3\nu2,f,yes,\nu3,?,no,x\n"),
		Attributes: []Attribute{
			{Kind: Audience, Key: "vip", Column: "vip"},
			{Kind: Audience, Key: "gone", Column: "gone"},
			{Kind: Audience, Key: "churn_risk", Column: "churn_risk"},
			{Kind: Trait, Key: "total_orders", Column: "total_orders", Type: values.Number},
		},
	}
	got, result, err := rows(e)
	want := []string{"u1: true null null 3", "u2: false null true null", "u3: null null false null"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if err := result.Attributes[1].Err; err == nil || err.Error() != `users.csv: the header has no column "gone"; its columns are "user_id", "vip", "churn_risk", "total_orders"` {
		t.Errorf("the missing column: %v", err)
	}
	if result.Rows != 3 || result.Attributes[0].Invalid != 1 || result.Attributes[2].Invalid != 0 || result.Attributes[3].Invalid != 1 {
		t.Errorf("counts: %+v", result)
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	w.Close()
	return b.String()
}

func zstded(text string) string {
	w, _ := zstd.NewWriter(nil)
	return string(w.EncodeAll([]byte(text), nil))
}

func TestCompression(t *testing.T) {
	text := "user_id,x\nu1,1\nu2,2\n"
	for name, packed := range map[string]string{
		"gzip": gzipped(text), "gzip in two parts": gzipped(text[:12]) + gzipped(text[12:]), "zstd": zstded(text),
	} {
		got, _, err := rows(Export{Source: "x.csv", Dir: write(t, "x.csv", packed), Attributes: []Attribute{audience}})
		if err != nil || !slices.Equal(got, []string{"u1: true", "u2: true"}) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestFits: the type of an attribute is that which fits all of its values, in whatever form
// they come.
// TestUserIDs: what is no user id names nobody, and what no contact can have is an invalid
// row.
func TestUserIDs(t *testing.T) {
	for _, test := range []struct {
		form cell.Form
		text string
		want string // the id, "none", or "error"
	}{
		{cell.Text, "u1", "u1"}, {cell.Text, "007", "007"}, {cell.Text, "1e3", "1e3"}, {cell.Text, "12E4", "12E4"}, {cell.Text, "nancy", "nancy"},
		{cell.Text, "", "none"}, {cell.Text, " ", "none"}, {cell.Text, "null", "none"}, {cell.Text, "NULL", "none"}, {cell.Text, "nil", "none"},
		{cell.Text, "None", "none"}, {cell.Text, "nan", "none"}, {cell.Text, "NaN", "none"}, {cell.Text, "undefined", "none"}, {cell.Text, "N/A", "none"},
		{cell.Text, "<NA>", "none"}, {cell.Text, "(null)", "none"}, {cell.Text, `\N`, "none"}, {cell.Text, "\u00a0", "none"},
		{cell.Text, "1.23457E+11", "error"}, {cell.Text, "1,2E+11", "error"}, {cell.Text, "1.2E11", "1.2E11"}, {cell.Text, "\xff", "error"}, {cell.Text, `["u1"]`, "error"}, {cell.Text, "u\x001", "error"}, {cell.Text, "u1\x1a", "error"}, {cell.Text, "\x7fu1", "error"}, {cell.Text, "u\t1", "error"},
		{cell.Text, "u\u0085", "error"}, {cell.Text, "u\u0080", "error"}, {cell.Text, "u\u009f", "error"}, {cell.Text, "u\u00a1", "u\u00a1"}, {cell.Text, "\u0100", "\u0100"}, {cell.JSON, `"u\u0000"`, "error"},
		{cell.Text, "u\n1", "error"}, {cell.Text, "[u1]", "[u1]"},
		{cell.JSON, `"u1"`, "u1"}, {cell.JSON, "1001", "1001"}, {cell.JSON, "1001.0", "1001"}, {cell.JSON, "12345678901234567890", "12345678901234567890"},
		{cell.JSON, "true", "none"}, {cell.JSON, `"true"`, "true"}, {cell.Boolean, "true", "none"}, {cell.Text, "true", "true"}, {cell.JSON, "NaN", "none"}, {cell.JSON, `"None"`, "none"}, {cell.JSON, `["u1"]`, "error"}, {cell.JSON, `{"a":1}`, "error"}, {cell.JSON, `"1001.0"`, "1001.0"},
		{cell.Number, "1001.0", "1001"}, {cell.Number, "1001", "1001"}, {cell.Number, "1e+06", "1000000"}, {cell.Number, "NaN", "none"}, {cell.Number, "1.5", "1.5"},
	} {
		id := userid.Of(test.form, []byte(test.text))
		got := string(id)
		if userid.IsNone(id) {
			got = "none"
		} else if reason, _ := userid.Check(id); reason != "" {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%d %q: got %q, want %q", test.form, test.text, got, test.want)
		}
	}
}

// TestRefused: an export that cannot be complete, or of which nobody can tell
// what it says, is an error that names the file and not its content.
func TestRefused(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	big := "user_id,x\n" + strings.Repeat("secret@x.io,1\n", 20000)
	for name, test := range map[string]struct{ text, want string }{
		"empty":                    {"", "the file is empty: it has no header"},
		"only a byte order mark":   {"\ufeff", "the file is empty: it has no header"},
		"UTF-16":                   {"\xff\xfeu\x00", "the file is UTF-16: export it as UTF-8"},
		"single column":            {"email\nsecret@x.io\n", "a single-column export holds no user id: download the audience again as \"Unformatted\" or \"Formatted\" CSV with the user_id identifier"},
		"no id column":             {"email,key\nsecret@x.io,k\n", "the header has no column user_id, userId or external_ids"},
		"hashed ids":               {"user_id\n" + hash + "\n" + hash + "\n", "the user ids are SHA-256 hashes"},
		"ends inside a row":        {"user_id,x\nu1,1\nsecret", "the file ends inside a row"},
		"ends behind a delimiter":  {"key,user_id\nk1,u1\nk2,", "the file ends inside a row"},
		"ends inside quotes":       {"user_id,x\nu1,1\nu2,\"secret\nsecret", "the file ends inside a row"},
		"ends inside a broken row": {"user_id,x\nu1,1\nu2,\"secret \"x\" c", "the file ends inside a row"},
		"gzip breaks off":          {gzipped(big)[:200], "its gzip data breaks off: the export is not complete; export it again, and the next run takes it"},
		"gzip is damaged":          {gzipped(big)[:200] + "secret" + gzipped(big)[206:], "its gzip data is damaged"},
		"zstd breaks off":          {zstded(big)[:60], "its zstd data breaks off: the export is not complete; export it again, and the next run takes it"},
		"not even gzip's header":   {"\x1f\x8b\x08", "its gzip data breaks off"},
		"ids of a spreadsheet":     {"user_id,x\n1.23457E+11,1\n12345.0,1\n", "all user ids are in scientific notation or end with .0"},
		"of a German one":          {"user_id;x\n1,23457E+11;1\n1E+12;1\n", "all user ids are in scientific notation or end with .0"},
		"ids of Java":              {"user_id,x\n1.23456789012E11,1\n12345.0,1\n1.0E7,1\n", "all user ids are in scientific notation or end with .0"},
		"ids of a decimal column":  {"user_id,x\n1001.00,1\n1002.00,1\n", "all user ids are in scientific notation or end with .0"},
		"lines of old Macs":        {"user_id,x\rsecret,1\ru2,1\r", "the lines of the file end with CR alone, as on old Macs: save it with LF or CRLF"},
		"a line for spreadsheets":  {"sep=;\nuser_id;x\nu1;1\n", "the file begins with sep=, which is for spreadsheets: take that line out"},
		"header with broken text":  {"a\"b,c\n", "the header is no CSV: a quote inside a field without quotes"},
	} {
		_, _, err := rows(Export{Source: "x.csv", Dir: write(t, "x.csv", test.text), Attributes: []Attribute{audience}})
		if err == nil || !strings.HasPrefix(err.Error(), "x.csv: "+test.want) {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows a cell: %v", name, err)
		}
	}
	_, _, err := rows(Export{Source: "x.csv", Dir: write(t, "x.csv", "id,x\n"), UserID: "uid", Attributes: []Attribute{audience}})
	if err == nil || err.Error() != `x.csv: the header has no column "uid", which user_id names; its columns are "id", "x"` {
		t.Errorf("user_id set to a column that is not there: %v", err)
	}
	got, _, err := rows(Export{Source: "x.csv", Dir: write(t, "x.csv", "user_id\n"+hash+"\n"), UserID: "user_id", Attributes: []Attribute{audience}})
	if err != nil || len(got) != 1 {
		t.Errorf("ids that are hashes and named so: %q, %v", got, err)
	}
}

func TestFingerprint(t *testing.T) {
	dir := write(t, "x.csv", "user_id\nu1\n")
	e := Export{Source: "x.csv", Dir: dir, Attributes: []Attribute{audience}}
	print := func(e Export) string {
		t.Helper()
		source, err := e.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		now, _ := source.Fingerprint(e.Attributes)
		return now
	}
	first := print(e)
	if print(e) != first {
		t.Error("the fingerprint changes by itself")
	}
	other := e
	other.Identifiers = FirstID
	if print(other) == first {
		t.Error("other settings have the same fingerprint")
	}
	os.Chtimes(filepath.Join(dir, "x.csv"), time.Now(), time.Now())
	if print(e) == first {
		t.Error("a rewritten file has the same fingerprint")
	}
}

func TestReadEnds(t *testing.T) {
	e := Export{Source: "x.csv", Dir: write(t, "x.csv", "user_id\n"+strings.Repeat("u\n", 5000)), Attributes: []Attribute{audience}}
	source, _ := e.Open(context.Background())
	stop := errors.New("stop")
	if _, err := source.Read(context.Background(), e.Attributes, func([]byte, []attr.Value) error { return stop }); err != stop {
		t.Errorf("an error of yield becomes %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := source.Read(ctx, e.Attributes, func([]byte, []attr.Value) error { return nil }); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// FuzzRead: whatever a file holds, reading it ends without a panic, and every
// id that comes out is one that Gleap could take.
func FuzzRead(f *testing.F) {
	f.Add([]byte("key,external_ids,user_id\nuse_1,\"{\"\"user_id\"\":[\"\"u1\"\"]}\",\n"))
	f.Add([]byte("user_id,value\nu1,[1\n\"u2\",{}\n"))
	f.Add([]byte(gzipped("user_id,value\nu1,1\n")))
	f.Add([]byte(zstded("user_id,value\nu1,1\n")))
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, identifiers := range []Identifiers{AllIDs, FirstID, LastID} {
			e := Export{Source: "x", Dir: dir, Attributes: []Attribute{audience, trait(values.Auto)}, Fields: []string{"email"}, Identifiers: identifiers}
			source, err := e.Open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			_, _ = source.Read(context.Background(), e.Attributes, func(id []byte, cells []attr.Value) error {
				if len(id) == 0 || len(id) > userid.Max || bytes.ContainsFunc(id, unicode.IsControl) || len(cells) != 3 {
					t.Fatalf("id %q with %d cells", id, len(cells))
				}
				return nil
			})
		}
	})
}

func TestHeader(t *testing.T) {
	for text, want := range map[string]string{
		"\ufeffkey; external_ids ;\"user;id\"\r\nk;{};u\n": "[key external_ids user;id]",
		"user_id": "[user_id]",
		"":        "a.csv: the file is empty: it has no header",
		"a,\"b":   "a.csv: the file ends inside a row: the export is not complete; export it again, and the next run takes it",
	} {
		dir := write(t, "a.csv", text)
		source, err := Export{Source: "a.csv", Dir: dir}.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		names, err := source.Header(context.Background())
		got := fmt.Sprint(names)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// TestNumbersAsBooleans: a column of numbers that is a membership has 1 and 0, whatever its
// type writes of them.
