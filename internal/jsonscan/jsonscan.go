package jsonscan

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Line is [Object] for a line as it was read. A text with an escape that is none, or with a
// control character, is no JSON: what takes such texts for what they seem to be would make
// somebody else of an id, so all of such a line is checked.
func Line(line []byte, yield func(name []byte, value json.RawMessage)) bool {
	return (isPlain(line) || json.Valid(Numberless(line))) && Object(line, yield)
}

// isPlain reports whether nothing is escaped, and nothing that would have to be.
func isPlain(b []byte) bool { return bytes.IndexByte(b, '\\') < 0 && !hasControl(b) }

// hasControl reports whether there is a control character. It looks at eight bytes at a time.
func hasControl(b []byte) bool {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		if eight := binary.LittleEndian.Uint64(b); (eight-each*' ')&^eight&high != 0 {
			return true
		}
	}
	return slices.ContainsFunc(b, func(c byte) bool { return c < ' ' })
}

// Object calls yield with the members of the JSON object that b is, as they stand in
// it. It reports false if b is no object. What it passes over it checks no further than it
// has to, to find its end: who takes a value checks it.
func Object(b []byte, yield func(name []byte, value json.RawMessage)) bool {
	rest := SkipBlanks(b)
	if len(rest) == 0 || rest[0] != '{' {
		return false
	}
	if rest = SkipBlanks(rest[1:]); len(rest) > 0 && rest[0] == '}' {
		return len(SkipBlanks(rest[1:])) == 0
	}
	for {
		size := textSize(rest)
		if size < 0 {
			return false
		}
		name := rest[1 : size-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			// Of two names with half of a surrogate pair nobody could tell one from the other.
			if name = Text(json.RawMessage(rest[:size])); !utf8.Valid(name) {
				return false
			}
		}
		if rest = SkipBlanks(rest[size:]); len(rest) == 0 || rest[0] != ':' {
			return false
		}
		rest = SkipBlanks(rest[1:])
		if size = Size(rest); size < 0 {
			return false
		}
		yield(name, json.RawMessage(rest[:size:size]))
		if rest = SkipBlanks(rest[size:]); len(rest) == 0 {
			return false
		}
		switch rest[0] {
		case ',':
			rest = SkipBlanks(rest[1:])
		case '}':
			return len(SkipBlanks(rest[1:])) == 0
		default:
			return false
		}
	}
}

// textSize returns the size of the JSON string at the start of b with its quotes, -1 if
// there is none.
func textSize(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return -1
	}
	for at := 1; ; {
		i := bytes.IndexByte(b[at:], '"')
		if i < 0 {
			return -1
		}
		at += i + 1
		escapes := 0 // an odd number of them makes the quote a part of the text
		for j := at - 2; b[j] == '\\'; j-- {
			escapes++
		}
		if escapes%2 == 0 {
			return at
		}
	}
}

// Size returns the size of the JSON value at the start of b, -1 if there is none.
func Size(b []byte) int {
	if len(b) == 0 {
		return -1
	}
	switch b[0] {
	case '"':
		return textSize(b)
	case '{', '[':
		return nestedSize(b)
	}
	end := 0
	for end < len(b) && b[end] > ' ' && b[end] != ',' && b[end] != '}' && b[end] != ']' {
		end++
	}
	if end == 0 || !IsWord(b[:end]) && !json.Valid(b[:end]) {
		return -1
	}
	return end
}

// IsWord reports whether b is a word of JSON, or one of those that Python writes where a
// number is none.
func IsWord(b []byte) bool {
	switch string(b) {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		return true
	}
	return false
}

// Numberless makes null of Python's words for what is no number, which encoding/json does
// not take.
func Numberless(b []byte) []byte {
	if !bytes.Contains(b, []byte("NaN")) && !bytes.Contains(b, []byte("Infinity")) {
		return b
	}
	return textOrWord.ReplaceAllFunc(b, func(found []byte) []byte {
		if found[0] == '"' {
			return found
		}
		return []byte("null")
	})
}

var textOrWord = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*"|NaN|-?Infinity`)

// nestedSize returns the size of the object or list at the start of b, -1 if it does not
// end.
func nestedSize(b []byte) int {
	var open [64]byte // what is open, as far as anybody nests
	depth := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '"':
			size := textSize(b[i:])
			if size < 0 {
				return -1
			}
			i += size - 1
		case '{', '[':
			if depth == len(open) {
				return -1
			}
			open[depth] = c + 2 // the brace or bracket that closes it
			depth++
		case '}', ']':
			if depth--; open[depth] != c {
				return -1
			}
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
