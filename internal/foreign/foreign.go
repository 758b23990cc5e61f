// Package foreign knows files that are no exports, and says what to do about them.
package foreign

import (
	"bytes"
	"errors"

	"gleapsync/internal/jsonscan"
)

// What to do about a file that is no export.
const (
	canRead = "what can be read is CSV, JSON lines and Parquet, plain or packed with gzip or zstd"
	unpack  = ": unpack it; " + canRead
	convert = ": export it in another form; " + canRead
)

// magics has what is known by a file's first bytes.
var magics = []struct{ magic, name string }{
	{"PK\x03\x04", "a zip archive" + unpack},
	{"PK\x05\x06", "a zip archive with nothing in it" + unpack},
	{"\xfd7zXZ\x00", "packed with xz" + unpack},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive" + unpack},
	{"Rar!\x1a\x07", "a rar archive" + unpack},
	{"\x04\x22\x4d\x18", "packed with lz4" + unpack},
	{"\xff\x06\x00\x00sNaPpY", "packed with snappy" + unpack},
	{"\x1f\x9d", "packed with compress" + unpack},
	{"\x1f\x8b", "packed twice" + unpack}, // it was unpacked once
	{"\x28\xb5\x2f\xfd", "packed twice" + unpack},
	{"Obj\x01", "Avro" + convert},
	{"ARROW1\x00", "Arrow" + convert},
	{"SQLite format 3\x00", "an SQLite database" + convert},
	{"PGDMP\x01", "a dump of pg_dump" + convert},
	{"%PDF-", "a PDF document" + convert},
}

const oldExcel = "\xd0\xcf\x11\xe0"

// Check returns what a file is that is no export, given its first bytes, nil if it may
// be one.
func Check(start []byte) error {
	if isUTF16(start) {
		return errors.New("the file is UTF-16: export it as UTF-8")
	}
	has := func(magic string) bool { return bytes.HasPrefix(start, []byte(magic)) }
	if has(oldExcel) || has("PK\x03\x04") && (bytes.Contains(start, []byte("[Content_Types].xml")) || bytes.Contains(start, []byte("xl/"))) {
		return errors.New("the file is an Excel workbook: save it as CSV UTF-8; " + canRead)
	}
	name := ""
	for _, m := range magics {
		if has(m.magic) {
			name = m.name
		}
	}
	switch {
	case has("BZh") && bytes.HasPrefix(start[min(len(start), 4):], []byte("1AY&SY")):
		name = "packed with bzip2" + unpack
	case has("ORC") && isBinary(start):
		name = "ORC" + convert
	case len(start) > 262 && string(start[257:262]) == "ustar":
		name = "a tar archive" + unpack
	}
	if name != "" {
		return errors.New("the file is " + name)
	}
	return checkText(bytes.TrimSpace(start))
}

// checkText is Check for what is text. There is one byte at least.
func checkText(start []byte) error {
	lower := bytes.ToLower(start[:min(len(start), 16)])
	has := func(prefix string) bool { return bytes.HasPrefix(lower, []byte(prefix)) }
	switch {
	case has("<!doctype") || has("<html"):
		return errors.New("the file is HTML: a login or error page was downloaded instead of the export; download it again while you are logged in")
	case has("<?xml") || has("<error>"):
		return errors.New("the file is XML, perhaps the error message of a storage: download it again; " + canRead)
	case bytes.IndexByte(start, '\r') >= 0 && bytes.IndexByte(start, '\n') < 0 && !isBinary(start):
		return errors.New("the lines of the file end with CR alone, as on old Macs: save it with LF or CRLF")
	case isJSONList(start):
		return errors.New("the file is one JSON array: write one object per line instead, for example with jq -c '.[]'")
	case start[0] != '{':
		return nil
	}
	line, _, _ := bytes.Cut(start, []byte("\n"))
	if len(bytes.TrimSpace(line)) == 1 && len(start) > 1 {
		return errors.New("the file has JSON objects that go over several lines: write each on one line, for example with jq -c . FILE")
	}
	if size := jsonscan.Size(line); size > 0 {
		if rest := bytes.TrimLeft(line[size:], ", \t\r"); len(rest) > 0 && rest[0] == '{' {
			return errors.New("the file has several JSON objects on one line, as an array has: write each on a line of its own, for example with jq -c . FILE")
		}
	}
	return nil
}

// isUTF16 reports whether a file begins with UTF-16's byte order mark or, as ASCII in
// UTF-16 does, with a NUL in every second place.
func isUTF16(start []byte) bool {
	if bytes.HasPrefix(start, []byte("\xff\xfe")) || bytes.HasPrefix(start, []byte("\xfe\xff")) {
		return true
	}
	n := min(len(start)/2, 16)
	zeros := [2]int{}
	for i, c := range start[:2*n] {
		if c == 0 {
			zeros[i%2]++
		}
	}
	return n >= 2 && (zeros == [2]int{0, n} || zeros == [2]int{n, 0})
}

// isBinary reports whether there is a byte that texts do not have.
func isBinary(start []byte) bool {
	return bytes.ContainsFunc(start, func(r rune) bool { return r < '\t' })
}

// isJSONList reports whether a text begins a JSON list, and not a header with a bracket.
func isJSONList(start []byte) bool {
	if start[0] != '[' {
		return false
	}
	rest := jsonscan.SkipBlanks(start[1:])
	return len(rest) == 0 || bytes.IndexByte([]byte(`{["]-0123456789`), rest[0]) >= 0
}
