package engage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"gleapsync/internal/cell"
	"gleapsync/internal/rounds"
	"gleapsync/internal/values"
)

// packings are the ways in which a text may be stored.
var packings = map[string]func(string) string{
	"plain": func(text string) string { return text },
	"gzip":  gzipped,
	"zstd":  zstded,
}

// everyReader reads a folder with one or two parts in all forms in which files are read.
// It returns what the reading said, and whether there is no error.
var everyReader = map[string]func(t *testing.T, dir string, format Format) (int, error){
	"snapshot": func(t *testing.T, dir string, format Format) (int, error) {
		got, result, err := rows(Export{Dir: dir, Source: ".", Pick: PickAll, Format: format, Attributes: []Attribute{audience}})
		return len(got) - result.Invalid, err
	},
	"changes": func(t *testing.T, dir string, _ Format) (int, error) {
		got, result, err := changes(Export{Dir: dir, Source: ".", Pick: PickAll, Discover: true, Changes: true})
		return len(got) - result.Invalid, err
	},
	"calls": func(t *testing.T, dir string, _ Format) (int, error) {
		source, err := Export{Dir: dir, Source: ".", Pick: PickAll}.Open(t.Context())
		if err != nil {
			return 0, err
		}
		n := 0
		result, err := source.ReadCalls(t.Context(), everyCall, func(*Call) error { n++; return nil })
		return n - result.Invalid, err
	},
}

// TestByteOrderMark: it is passed over at the start of every part, whatever the form, and
// however it is packed.
func TestByteOrderMark(t *testing.T) {
	for _, form := range []struct{ name, reader, text string }{
		{"CSV", "snapshot", "user_id,x\nu1,1\n"},
		{"CSV with quotes", "snapshot", "\"user_id\"\r\nu1\r\n"},
		{"JSON lines", "snapshot", `{"user_id":"u1","x":1}` + "\n"},
		{"events", "changes", identify("u1", "audience", "vip", "", "true", 1)},
		{"CSV of changes", "changes", "audience_name,audience_action,user_id,timestamp\nvip,true,u1,2026-03-01T00:00:01Z\n"},
		{"calls", "calls", `{"type":"track","userId":"u1","event":"a","timestamp":"2026-03-01"}` + "\n"},
	} {
		for packing, pack := range packings {
			dir := write(t, "a", pack("\ufeff"+form.text), "b", pack("\ufeff\r\n"+strings.ReplaceAll(form.text, "u1", "u2")))
			if n, err := everyReader[form.reader](t, dir, AnyFormat); n != 2 || err != nil {
				t.Errorf("%s, %s: %d rows of 2, %v", form.name, packing, n, err)
			}
		}
	}
}

// TestHalfSurrogates: ids with half of a surrogate pair, which JSON can write, are not UTF-8, whatever
// the form: as texts they would all be the same id, and somebody else's.
func TestHalfSurrogates(t *testing.T) {
	for _, form := range []struct{ name, reader, text string }{
		{"JSON lines", "snapshot", `{"user_id":"ID","x":1}`},
		{"external ids", "snapshot", `{"key":"k","external_ids":{"user_id":["ID"]}}`},
		{"external ids in CSV", "snapshot", "key,external_ids\nk," + `"{""user_id"":[""ID""]}"`},
		{"events", "changes", identify("ID", "audience", "vip", "", "true", 1)},
		{"calls", "calls", `{"type":"track","userId":"ID","event":"a","timestamp":"2026-03-01"}`},
	} {
		for id, want := range map[string]int{`u\ud83d`: -1, `\udE00u`: -1, `u\ud83d\ud83d`: -1, `u\ud83d\ude00`: 1} {
			dir := write(t, "a", strings.ReplaceAll(form.text, "ID", id)+"\n")
			if n, err := everyReader[form.reader](t, dir, AnyFormat); n != want || err != nil {
				t.Errorf("%s, %s: %d, want %d, %v", form.name, id, n, want, err)
			}
		}
	}
}

// TestHalfSurrogatesInValues: a value with half of a surrogate pair is invalid, and its user is there.
func TestHalfSurrogatesInValues(t *testing.T) {
	dir := write(t, "a", `{"user_id":"u1","value":"\ud83d"}`+"\n"+`{"user_id":"u2","value":["x","\ud83d"]}`+"\n"+`{"user_id":"u3","value":"\ud83d\ude00"}`+"\n")
	got, result, err := rows(Export{Dir: dir, Source: "a", Attributes: []Attribute{trait(values.Auto)}})
	if err != nil || result.Invalid != 0 || result.Attributes[0].Invalid != 1 || result.Problems[0].Reason != "the value is not UTF-8" || strings.Join(got, " ") != `u1: null u2: "[\"x\",\"\\ud83d\"]" u3: "😀"` {
		t.Errorf("%q %+v %v", got, result, err)
	}
}

func inUTF16(text string, order func(uint16) (byte, byte)) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		first, second := order(unit)
		b.WriteByte(first)
		b.WriteByte(second)
	}
	return b.String()
}

func littleEndian(unit uint16) (byte, byte) { return byte(unit), byte(unit >> 8) }
func bigEndian(unit uint16) (byte, byte)    { return byte(unit >> 8), byte(unit) }

// TestForeign: what is no export is named for what it is, whatever it is read for.
func TestForeign(t *testing.T) {
	const csv = "user_id,x\nu1,1\n"
	tar := "users.csv" + strings.Repeat("\x00", 248) + "ustar\x0000" + strings.Repeat("\x00", 300) + csv
	for name, test := range map[string]struct{ content, want string }{
		"UTF-16, little":         {"\xff\xfe" + inUTF16(csv, littleEndian), "the file is UTF-16: export it as UTF-8"},
		"UTF-16, big":            {"\xfe\xff" + inUTF16(csv, bigEndian), "the file is UTF-16: export it as UTF-8"},
		"UTF-16 without a mark":  {inUTF16(csv, littleEndian), "the file is UTF-16: export it as UTF-8"},
		"UTF-16 big, no mark":    {inUTF16(`{"user_id":"u1"}`, bigEndian), "the file is UTF-16: export it as UTF-8"},
		"UTF-16, two letters":    {inUTF16("ab", littleEndian), "the file is UTF-16: export it as UTF-8"},
		"array":                  {`[{"user_id":"u1"},{"user_id":"u2"}]`, "the file is one JSON array: write one object per line instead, for example with jq -c '.[]'"},
		"array over lines":       {"\n [\n  {\"user_id\":\"u1\"}\n]\n", "the file is one JSON array"},
		"array of lists":         {`[["user_id"],["u1"]]`, "the file is one JSON array"},
		"empty array":            {"[]", "the file is one JSON array"},
		"lists in lines":         {"[\"user_id\",\"x\"]\n[\"u1\",1]\n", "the file is one JSON array"},
		"objects over lines":     {"{\n  \"user_id\": \"u1\"\n}\n", "the file has JSON objects that go over several lines: write each on one line, for example with jq -c . FILE"},
		"objects in one line":    {`{"user_id":"u1","n":{"a":"}"}}{"user_id":"u2"}`, "the file has several JSON objects on one line, as an array has: write each on a line of its own, for example with jq -c . FILE"},
		"objects and commas":     {`{"user_id":"u1"}, {"user_id":"u2"}`, "the file has several JSON objects on one line"},
		"zip":                    {"PK\x03\x04\x14\x00\x00\x00users.csv" + csv, "the file is a zip archive: unpack it; what can be read is CSV, JSON lines and Parquet, plain or packed with gzip or zstd"},
		"Excel":                  {"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml\x00", "the file is an Excel workbook: save it as CSV UTF-8; what can be read is"},
		"older Excel":            {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00", "the file is an Excel workbook"},
		"xz":                     {"\xfd7zXZ\x00\x00\x04" + csv, "the file is packed with xz: unpack it; what can be read is"},
		"bzip2":                  {"BZh91AY&SY\x01\x02", "the file is packed with bzip2: unpack it"},
		"7z":                     {"7z\xbc\xaf\x27\x1c\x00\x04", "the file is a 7z archive: unpack it"},
		"tar":                    {tar, "the file is a tar archive: unpack it"},
		"tar with gzip":          {gzipped(tar), "the file is a tar archive: unpack it"},
		"gzip in gzip":           {gzipped(gzipped(csv)), "the file is packed twice: unpack it"},
		"Avro":                   {"Obj\x01\x04\x16avro.schema", "the file is Avro: export it in another form; what can be read is"},
		"ORC":                    {"ORC\x0a\x06\x12\x04\x08\x50\x50\x00", "the file is ORC: export it in another form"},
		"login page":             {"\r\n<!DOCTYPE html>\n<html><body>Log in</body></html>", "the file is HTML: a login or error page was downloaded instead of the export; download it again while you are logged in"},
		"page":                   {"<HTML><body>Log in</body></html>", "the file is HTML"},
		"error of a storage":     {"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>", "the file is XML, perhaps the error message of a storage: download it again"},
		"empty":                  {"", "the file is empty"},
		"blank":                  {"\r\n \n", "the file is empty"},
		"only a byte order mark": {"\ufeff", "the file is empty"},
	} {
		for packing, pack := range packings {
			if packing != "plain" && strings.HasPrefix(test.content, "\x1f\x8b") {
				continue // it is packed already
			}
			dir := write(t, "a", pack(test.content))
			for reader, read := range everyReader {
				for _, format := range []Format{AnyFormat, CSV, NDJSON} {
					if content := pack(test.content); content == "" {
						continue // it is passed over in a folder, see TestParts
					}
					n, err := read(t, dir, format)
					if n > 0 || err == nil || !strings.HasPrefix(err.Error(), "a: "+test.want) {
						t.Errorf("%s, %s, %s %s: %d rows, %v", name, packing, reader, format, n, err)
					}
				}
			}
		}
	}
}

// TestNotForeign: what only resembles it is read.
func TestNotForeign(t *testing.T) {
	for _, text := range []string{
		"user_id,[x]\nu1,\n", "[x],user_id\n1,u1\n", "ORC,user_id\n1,u1\n", "BZh,user_id\n1,u1\n", "Object,user_id\n1,u1\n", "PK,user_id\n1,u1\n",
		`{"user_id":"u1","x":"{}{\n"}` + "\n", `{"user_id":"u1","x":"` + strings.Repeat("x", 10<<10) + `"}` + "\n", "#user_id,x\nu1,1\n", "\n\nuser_id\nu1\n",
	} {
		got, _, err := rows(Export{Source: "x", Dir: write(t, "x", text), Attributes: []Attribute{audience}})
		if err != nil || !slices.Equal(got, []string{"u1: true"}) {
			t.Errorf("%.40q: %q, %v", text, got, err)
		}
	}
}

// TestLongHeader: a header may be as long as a row.
func TestLongHeader(t *testing.T) {
	for _, delimiter := range []string{",", "\t", "|", ";", ":"} {
		columns := 3_000
		if delimiter == "," {
			columns = rounds.Of(10_000, 30_000)
		}
		for _, name := range []string{"a_rather_long_name_of_a_column_%d", "\"a, rather\nlong ; \"\"name\"\" of | a : column %d\""} {
			for _, idFirst := range []bool{true, false} {
				var header, row strings.Builder
				for i := range columns {
					fmt.Fprintf(&header, name+delimiter, i)
					fmt.Fprintf(&row, "%d"+delimiter, i)
				}
				text := header.String() + "user_id\n" + row.String() + "u1\n"
				if idFirst {
					text = "user_id" + delimiter + header.String() + "last\nu1" + delimiter + row.String() + "1\n"
				}
				// What is unpacked comes in small pieces.
				got, _, err := rows(Export{Source: "x", Dir: write(t, "x", gzipped(text)), Attributes: []Attribute{audience}})
				if err != nil || !slices.Equal(got, []string{"u1: true"}) {
					t.Errorf("%q, %q, %t, %d bytes: %q, %.200v", delimiter, name, idFirst, header.Len(), got, err)
				}
			}
		}
	}
}

// TestLongLine: so may the first line of JSON, which has the names.
func TestLongLine(t *testing.T) {
	for _, size := range []int{1 << 10, 256 << 10, 1 << 20, 15 << 20} {
		padding := strings.Repeat("x", size)
		text := `{"x":"` + padding + `","company":{"n":7},"user_id":"u1","Total Orders":3}` + "\n" + `{"user_id":"u2","x":"` + padding + `","Total Orders":4}`
		e := Export{Source: "x", Dir: write(t, "x", text), Attributes: []Attribute{trait(values.Auto), {Kind: Trait, Key: "n", Column: "company.n", Type: values.Auto}}}
		got, _, err := rows(e)
		if err != nil || !slices.Equal(got, []string{"u1: 3 7", "u2: 4 null"}) {
			t.Errorf("%d bytes: %q, %v", size, got, err)
		}
	}
}

// TestTooLong: a row past the limit ends the reading of its file. What stands in it never
// becomes a row.
func TestTooLong(t *testing.T) {
	lines := strings.Repeat("u2,1\n", cell.MaxRow/4)
	for name, test := range map[string]struct{ reader, before, long, after string }{
		"CSV":                       {"snapshot", "user_id,x\nu1,1\n", "u2," + strings.Repeat("x", cell.MaxRow) + "\n", "u3,1\n"},
		"an open quote":             {"snapshot", "user_id,x\nu1,1\n", "u2,\"1\n" + lines, "u3,1\n"},
		"an open quote that closes": {"snapshot", "user_id,x\nu1,1\n", "u2,\"1\n" + lines, "u3,1\"\nu4,1\n"},
		"the header":                {"snapshot", "", "user_id,\"x\n" + lines, "u3,1\n"},
		"JSON lines":                {"snapshot", `{"user_id":"u1"}` + "\n", `{"user_id":"u2","x":"` + strings.Repeat("x", cell.MaxRow) + "\"}\n", `{"user_id":"u3"}` + "\n"},
		"the first line of JSON":    {"snapshot", "", `{"user_id":"u2","x":"` + strings.Repeat("x", cell.MaxRow) + "\"}\n", `{"user_id":"u3"}` + "\n"},
		"events":                    {"changes", identify("u1", "audience", "vip", "", "true", 1), `{"x":"` + strings.Repeat("x", cell.MaxRow) + "\"}\n", identify("u2", "audience", "vip", "", "true", 2)},
		"CSV of changes": {"changes", "audience_name,audience_action,user_id,timestamp\nvip,true,u1,2026-03-01T00:00:01Z\n",
			"vip,true,\"" + strings.Repeat("vip,true,u2,2026-03-01T00:00:01Z\n", cell.MaxRow/30), "vip,true,u3,2026-03-01T00:00:01Z\n"},
		"calls": {"calls", `{"type":"track","userId":"u1","event":"a","timestamp":"2026-03-01"}` + "\n", `{"x":"` + strings.Repeat("x", cell.MaxRow) + "\"}\n",
			`{"type":"track","userId":"u2","event":"a","timestamp":"2026-03-01"}` + "\n"},
	} {
		n, err := everyReader[test.reader](t, write(t, "a", test.before+test.long+test.after), AnyFormat)
		if before := min(1, len(test.before)); n != before || err == nil || !strings.Contains(err.Error(), "longer than 16 MiB") {
			t.Errorf("%s: %d rows, want %d: %v", name, n, before, err)
		}
	}
}

// TestEmptyCompressed: a compressed file without text is empty, not cut off.
func TestEmptyCompressed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x"), []byte(gzipped("")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := rows(Export{Source: "x", Dir: dir, Attributes: []Attribute{audience}}); err == nil || err.Error() != "x: the file is empty: it has no header" {
		t.Error(err)
	}
}
