// Package cell has what the readers of tables agree on. A row is a list of cells, each the
// bytes of a text or of a value; what they are, their [Form], is said once for a column. No row
// is longer than [MaxRow], and what programs write for a number that is none, [IsNotFinite]
// knows.
package cell

import (
	"bytes"
	"strings"
)

// Form is what the cells of a column are. A reader says no more of a cell than that.
type Form byte

// The forms.
const (
	Text    Form = iota
	JSON         // a JSON value as it stands
	Number       // a number of a column that holds nothing else
	Boolean      // true or false, of such a column
)

// MaxRow is the longest row that is read, in bytes. A longer one ends the reading: where a
// row that has no end really ends nobody can tell, and what stands in it must not become
// rows.
const MaxRow = 16 << 20

// IsNotFinite reports whether a text is NaN or an infinity, as programs write them.
func IsNotFinite(text []byte) bool {
	if len(text) < len("nan") || len(text) > len("-infinity") {
		return false
	}
	switch text[0] {
	case '+', '-', 'n', 'N', 'i', 'I':
	default: // as most are
		return false
	}
	switch strings.ToLower(string(bytes.TrimLeft(text, "+-"))) {
	case "nan", "inf", "infinity":
		return true
	}
	return false
}
