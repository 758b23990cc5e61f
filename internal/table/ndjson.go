package table

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"gleapsync/internal/cell"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/keys"
	"gleapsync/internal/source"
)

// NDJSON is JSON with one object per line as a table. Its cells are raw JSON, nil where there
// is nothing or null.
//
// Members that have no value are often left out, so the first lines may not have all. A
// column is what they have, and what was wanted.
type NDJSON struct {
	lines  *Lines
	names  []string
	paths  map[int][]string // of the columns that are within another, such as company.name
	places map[string]int   // of the members' names among the columns; -1: nobody wants them
	cells  [][]byte
	text   *source.Text
	rules  rules // nil: none

	endsLines  bool // see [Options]
	isCut      bool // see [NDJSON.IsCutOff]
	terminated bool // the line that was read last ended with a line break
}

// rules are for lines that are sound JSON.
type rules interface {
	// CheckNew is called for a member that is no column, when it comes for the first time. An error,
	// which goes on behind the number of the line, ends the reading.
	CheckNew(name string) error
	// CheckLine returns why a line is broken, "" if it is not.
	CheckLine(cells [][]byte, line []byte) (reason string)
}

// maxPlaces bounds the memory for names in a file that has others in each line.
const maxPlaces = 10_000

func newNDJSON(text *source.Text, endsLines bool) *NDJSON {
	r, first := firstLines(text.Reader)
	t := &NDJSON{text: text, endsLines: endsLines, lines: NewLines(r), paths: map[int][]string{}, places: map[string]int{}}
	seen := map[string]bool{}
	for line := range bytes.Lines(first) {
		jsonscan.Object(line, func(name []byte, _ json.RawMessage) { t.names = appendName(t.names, seen, name) })
	}
	t.cells = make([][]byte, len(t.names))
	return t
}

// appendName appends a name that was not seen before.
func appendName(names []string, seen map[string]bool, name []byte) []string {
	if seen[string(name)] || len(seen) >= maxPlaces {
		return names
	}
	seen[string(name)] = true
	return append(names, string(name))
}

// firstLines returns what text's buffer holds, which is a whole line at least, if need be
// with a larger buffer.
func firstLines(text *bufio.Reader) (*bufio.Reader, []byte) {
	for {
		first, err := text.Peek(text.Size())
		if err != nil || bytes.IndexByte(first, '\n') >= 0 || text.Size() > cell.MaxRow {
			return text, first
		}
		text = bufio.NewReaderSize(text, 2*text.Size())
	}
}

// Want adds a column that the first lines do not have, except for one that may be within another,
// where it is looked for. What is exactly one of others is not it. It is called before the first
// row, as Check is.
func (t *NDJSON) Want(name string, within bool, others []string) {
	if name == "" || len(keys.Places(t.names, name, others)) > 0 {
		return
	}
	if path := strings.Split(name, "."); len(path) > 1 {
		t.paths[len(t.names)] = path
	} else if within {
		return
	}
	t.names, t.cells = append(t.names, name), append(t.cells, nil)
}

// Check has lines follow rules.
func (t *NDJSON) Check(r rules) { t.rules = r }

// Columns implements [Table].
func (t *NDJSON) Columns() []string { return t.names }

// Forms sets the forms of the columns.
func (t *NDJSON) Forms(all []cell.Form) {
	for i := range all {
		all[i] = cell.JSON
	}
}

// Line implements [Table].
func (t *NDJSON) Line() int { return t.lines.line }

// IsCutOff reports whether the row for which Next returned an error last is broken only for want of
// a line break, see [Options].
func (t *NDJSON) IsCutOff() bool { return t.isCut }

// Terminated reports whether the line of the row that Next returned last ended with a line break.
func (t *NDJSON) Terminated() bool { return t.terminated }

// Close implements [Table].
func (t *NDJSON) Close() error { return t.text.Close() }

// Next implements [Table].
func (t *NDJSON) Next() ([][]byte, error) {
	for {
		line, terminated, err := t.lines.Next()
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		t.terminated = terminated
		clear(t.cells)
		var refused error
		if !jsonscan.Line(line, func(name []byte, value json.RawMessage) {
			i, ok := t.places[string(name)]
			if !ok {
				if i = t.place(string(name)); i < 0 && t.rules != nil {
					refused = cmp.Or(t.rules.CheckNew(string(name)), refused)
				}
			}
			if i >= 0 && string(value) != "null" {
				t.cells[i] = value
			}
		}) {
			if !terminated {
				return nil, ErrTruncated
			}
			return nil, &RowError{t.lines.line, "the line is no JSON object"}
		}
		if refused != nil {
			return nil, fmt.Errorf("line %d %w", t.lines.line, refused)
		}
		if t.isCut = t.endsLines && !terminated; t.isCut { // it is whole, but what came behind it is not there
			return nil, &RowError{t.lines.line, cutOff}
		}
		for i, path := range t.paths {
			t.cells[i] = t.inside(path)
		}
		if t.rules != nil {
			if reason := t.rules.CheckLine(t.cells, line); reason != "" {
				return nil, &RowError{t.lines.line, reason}
			}
		}
		return t.cells, nil
	}
}

// place finds the column of a member that comes for the first time.
func (t *NDJSON) place(name string) int {
	i := slices.Index(t.names, name)
	if i < 0 {
		i = Find(t.names, name) // as in a header, but not beside a member of exactly that name
		if _, taken := t.places[nameAt(t.names, i)]; taken {
			i = -1
		}
	}
	if len(t.places) < maxPlaces {
		t.places[name] = i
	}
	return i
}

func nameAt(names []string, i int) string {
	if i < 0 {
		return ""
	}
	return names[i]
}

// inside returns the value at a path, nil if there is none.
func (t *NDJSON) inside(path []string) []byte {
	i := Find(t.names, path[0])
	if i < 0 {
		return nil
	}
	value := t.cells[i]
	for _, want := range path[1:] {
		var found []byte
		jsonscan.Object(value, func(name []byte, value json.RawMessage) {
			if string(name) == want && string(value) != "null" {
				found = value
			}
		})
		value = found
	}
	return value
}

// AppendNames reads the lines to the end, instead of rows, and appends the names of all members to
// names, each once, with those within the member of a name.
func (t *NDJSON) AppendNames(names []string, within string) ([]string, error) {
	seen := map[string]bool{}
	for _, name := range names {
		seen[name] = true
	}
	var add func(line []byte, nested bool)
	add = func(line []byte, nested bool) {
		jsonscan.Object(line, func(name []byte, value json.RawMessage) {
			names = appendName(names, seen, name)
			if !nested && string(name) == within {
				add(value, true)
			}
		})
	}
	for {
		line, _, err := t.lines.Next()
		if err == io.EOF {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		add(line, false)
	}
}
