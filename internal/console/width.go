package console

import (
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
)

// width returns how many columns of a terminal a text takes: a Chinese character takes two.
func width(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return text.StringWidthWithoutEscSequences(s) // as the tables have it
		}
	}
	return len(s)
}

// cut takes so much out of the middle of a text that it has so many columns.
func cut(s string, most int) string {
	if most < 1 || width(s) <= most {
		return s
	}
	const gone = "…"
	room := most - width(gone)
	end := room / 2
	head, tail := 0, len(s)
	for left := room - end; ; {
		r, size := utf8.DecodeRuneInString(s[head:])
		if left -= text.RuneWidth(r); left < 0 {
			break
		}
		head += size
	}
	for left := end; ; {
		r, size := utf8.DecodeLastRuneInString(s[:tail])
		if left -= text.RuneWidth(r); left < 0 {
			break
		}
		tail -= size
	}
	for { // an accent alone is of what is gone
		r, size := utf8.DecodeRuneInString(s[tail:])
		if size == 0 || text.RuneWidth(r) > 0 {
			return s[:head] + gone + s[tail:]
		}
		tail += size
	}
}
