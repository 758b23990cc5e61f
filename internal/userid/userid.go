// Package userid reads the user ids that cells hold, and knows those that no contact can have.
package userid

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/values"
)

// Max is the longest user id, in bytes. A row with a longer one is broken.
const Max = 1024

// Of returns the user id that a cell holds, if it holds one: see [IsNone]. A column of
// numbers has 1001 also where it is written 1001.0. True and false of JSON name nobody.
func Of(f cell.Form, text []byte) []byte {
	switch {
	case f == cell.Text:
		return text
	case f == cell.Boolean, f == cell.JSON && jsonscan.IsWord(text):
		return nil
	case f == cell.JSON && len(text) > 0 && text[0] == '"':
		return jsonscan.Text(text)
	case f == cell.Number, f == cell.JSON && len(text) > 0 && (text[0] == '-' || '0' <= text[0] && text[0] <= '9'):
		number := text
		if f == cell.Number {
			number = values.PlainDecimal(text)
		}
		if whole, fraction, ok := bytes.Cut(number, []byte{'.'}); ok && len(bytes.Trim(fraction, "0")) == 0 {
			return whole
		}
		return number
	}
	return text
}

// IsNone reports whether a cell of user ids holds none: it is blank, or says so in one of
// the ways in which programs do.
func IsNone(cell []byte) bool {
	if len(cell) > 0 && cell[0] > ' ' {
		switch cell[0] | 0x20 { // the small letter
		case 'n', 'u', '<', '(', '\\' | 0x20, '-':
		default:
			return cell[0] >= utf8.RuneSelf && len(bytes.TrimSpace(cell)) == 0
		}
	}
	cell = bytes.TrimSpace(cell)
	switch len(cell) {
	case 0:
		return true
	case 2:
		return string(cell) == `\N` || string(cell) == `\n`
	case 3, 4, 6, 9:
		return slices.Contains(NoIDs[:], strings.ToLower(string(cell)))
	}
	return false
}

// NoIDs are the words, in small letters, with which programs say that there is no user id, as blanks
// and \N do.
var NoIDs = [...]string{"null", "nil", "none", "nan", "undefined", "n/a", "<na>", "(null)", "-nan"}

// Said returns the user id that a value says, nil if it names nobody. For reason and known
// see [Check].
func Said(said attr.Value) (id []byte, reason string, known bool) {
	id = said.Text()
	if said.Kind() == attr.Number {
		id = Of(cell.Number, id)
	}
	if IsNone(id) {
		return nil, "", true
	}
	reason, known = Check(id)
	return id, reason, known
}

// Check returns why no contact can have a user id. If it is known whom the row is about all
// the same, that user is missing nowhere.
func Check(id []byte) (reason string, known bool) {
	ascii := isPrintable(id) // as nearly all are
	switch {
	case len(id) > Max:
		return fmt.Sprintf("the user id is longer than %d bytes", Max), true
	case !ascii && !utf8.Valid(id):
		return "the user id is not UTF-8", false
	case !ascii && hasControl(id):
		return "the user id holds a control character, such as a line break or NUL", false
	case values.IsList(id) && json.Valid(id):
		return "the user id is a list or an object", false
	case IsSpreadsheetNumber(id):
		return "the user id is a number that a spreadsheet has rounded", false
	}
	return "", true
}

// hasControl reports whether there is a control character in what is UTF-8: U+0000 to
// U+001F, U+007F, and U+0080 to U+009F. No id has one; what wrote it was cut off, or took
// bytes for text.
func hasControl(id []byte) bool {
	for i, c := range id {
		if c < ' ' || c == 0x7f || c == 0xc2 && id[i+1] < 0xa0 {
			return true
		}
	}
	return false
}

// isPrintable reports whether all is ASCII that can be printed. It looks at eight bytes at a
// time.
func isPrintable(id []byte) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; len(id) >= 8; id = id[8:] {
		if eight := binary.LittleEndian.Uint64(id); ((eight-each*' ')|(eight+each)|eight)&high != 0 {
			return false
		}
	}
	for _, c := range id {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// IsSpreadsheetNumber reports whether an id is a number in the form 1.23457E+11, in which
// spreadsheets write long ones: what it was nobody knows any more.
func IsSpreadsheetNumber(id []byte) bool {
	return len(id) >= len("1E+5") && '0' <= id[0] && id[0] <= '9' && bytes.IndexByte(id, '+') > 0 && spreadsheetNumber.Match(id)
}

// Where the comma is the decimal point it is that of spreadsheets too.
var spreadsheetNumber = regexp.MustCompile(`^[0-9]([.,][0-9]+)?[Ee]\+[0-9]{1,3}$`)

// IsHash reports whether an id is a SHA-256 hash.
func IsHash(id []byte) bool {
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return len(id) == 64
}

// IsFloat reports whether an id is what programs make of one in a column of floats: an
// integer with zeros behind the point, or 1.23457E11 as Java and so Spark write it.
func IsFloat(id []byte) bool { return bytes.IndexByte(id, '.') > 0 && floatID.Match(id) }

var floatID = regexp.MustCompile(`^[0-9]+\.0+$|^[0-9]\.[0-9]+E[0-9]{1,3}$`)
