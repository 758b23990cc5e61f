package engage

import (
	"bufio"
	"bytes"
	"context"
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

// ndjsonTable is JSON with one object per line as a table. Its cells are raw JSON, nil
// where there is nothing or null.
//
// Members that have no value are often left out, so the first lines may not have all. A
// column is what they have, and what the export names.
type ndjsonTable struct {
	lines   lineReader
	names   []string
	paths   map[int][]string // of the columns that are within another, such as company.name
	places  map[string]int   // of the members' names among the columns; -1: nobody wants them
	ids     []int            // the columns that may hold a user id
	idNames []string         // and what they are called
	members []string         // keys, in snake case, of audiences of which the first lines say no more than who is there
	cells   [][]byte
	text    *source.Text

	endsLines  bool // a line without a line break is cut off, see [Source.EndsLines]
	isCut      bool // as the line that was read last is
	terminated bool // it ended with a line break
}

// maxPlaces bounds the memory for names in a file that has others in each line.
const maxPlaces = 10_000

func newNDJSONTable(text *source.Text, e Export, endsLines bool) *ndjsonTable {
	r, first := firstLines(text.Reader)
	t := &ndjsonTable{text: text, endsLines: endsLines, lines: lineReader{r: r}, paths: map[int][]string{}, places: map[string]int{}}
	seen := map[string]bool{}
	for line := range bytes.Lines(first) {
		jsonscan.Object(line, func(name []byte, _ json.RawMessage) {
			if !seen[string(name)] && len(seen) < maxPlaces {
				seen[string(name)] = true
				t.names = append(t.names, string(name))
			}
		})
	}
	traits, external := find(t.names, "traits") >= 0, find(t.names, "external_ids") >= 0
	t.want(e.UserID, false, nil)
	for _, a := range e.Attributes {
		if a.Column == "" && a.Kind == Audience && findKey(t.names, a) < 0 {
			t.members = append(t.members, keys.Snake(a.Key))
		}
		t.want(a.Column, traits, e.columns())
	}
	for _, name := range e.Fields {
		t.want(name, traits || external, nil)
	}
	t.cells = make([][]byte, len(t.names))
	l, _ := newLayout(t.names, Export{UserID: e.UserID}) // of what has no user id nothing is read
	if l != nil {
		t.ids, t.idNames = l.userIDs, []string{strings.Split(e.UserID, ".")[0]}
		if !l.named {
			t.idNames = []string{"user_id", "external_ids"}
			if l.external >= 0 {
				t.ids = append(t.ids, l.external)
			}
		}
	}
	return t
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

// want adds a column that the first lines do not have, but for one that may be within
// another, where it is looked for. What is exactly one of others is not it.
func (t *ndjsonTable) want(name string, within bool, others []string) {
	if name == "" || len(keys.Places(t.names, name, others)) > 0 {
		return
	}
	if path := strings.Split(name, "."); len(path) > 1 {
		t.paths[len(t.names)] = path
	} else if within {
		return
	}
	t.names = append(t.names, name)
}

func (t *ndjsonTable) Columns() []string { return t.names }

func (t *ndjsonTable) Forms(all []cell.Form) {
	for i := range all {
		all[i] = cell.JSON
	}
}

func (t *ndjsonTable) Line() int { return t.lines.line }

func (t *ndjsonTable) isCutOff() bool { return t.isCut }

func (t *ndjsonTable) ending() Ends { return endsOf(t.terminated) }

func (t *ndjsonTable) Close() error { return t.text.Close() }

func (t *ndjsonTable) Next() ([][]byte, error) {
	for {
		line, complete, err := t.lines.next()
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		t.terminated = complete
		clear(t.cells)
		late := ""
		if !jsonscan.Line(line, func(name []byte, value json.RawMessage) {
			i, ok := t.places[string(name)]
			if !ok {
				i = t.place(string(name))
				if i < 0 && slices.Contains(t.members, keys.Snake(string(name))) {
					late = string(name)
				}
			}
			if i >= 0 && string(value) != "null" {
				t.cells[i] = value
			}
		}) {
			if !complete {
				return nil, errTruncated
			}
			return nil, &rowError{t.lines.line, "the line is no JSON object"}
		}
		if late != "" {
			return nil, fmt.Errorf("line %d has a member %q and the lines at the start have none, so nobody can tell who is in: take it as a column of a [[table]]", t.lines.line, late)
		}
		if t.isCut = t.endsLines && !complete; t.isCut { // it is whole, but what came behind it is not there
			return nil, &rowError{t.lines.line, cutOff}
		}
		for i, path := range t.paths {
			t.cells[i] = t.inside(path)
		}
		if t.misspells(line) {
			return nil, &rowError{t.lines.line, "the line has no user id, and a member whose name is almost that of one: give it the name that it has in the other lines"}
		}
		return t.cells, nil
	}
}

// misspells reports whether a line has no user id, except for one under a name that is almost
// the right one. It is that of somebody whom it would be wrong to miss.
func (t *ndjsonTable) misspells(line []byte) (found bool) {
	if slices.ContainsFunc(t.ids, func(i int) bool { return t.cells[i] != nil }) {
		return false
	}
	jsonscan.Object(line, func(name []byte, value json.RawMessage) {
		found = found || string(value) != "null" && slices.ContainsFunc(t.idNames, func(want string) bool { return keys.Almost(string(name), want) })
	})
	return found
}

// place finds the column of a member that comes for the first time.
func (t *ndjsonTable) place(name string) int {
	i := slices.Index(t.names, name)
	if i < 0 {
		i = find(t.names, name) // as in a header, but not beside a member of exactly that name
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
func (t *ndjsonTable) inside(path []string) []byte {
	i := find(t.names, path[0])
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

// errNoNames is for JSON that can be read once only.
func errNoNames(name string) error {
	return fmt.Errorf("%s: patterns have to know all names before the first line, and JSON has no header: name the columns, or have it write CSV", name)
}

// memberNames reads the inputs and returns the names of all members, those of traits too:
// which of them a wildcard takes is known only then.
func (s *Source) memberNames(ctx context.Context) ([]string, error) {
	seen := map[string]bool{}
	var names []string
	var add func(line []byte, nested bool)
	add = func(line []byte, nested bool) {
		jsonscan.Object(line, func(name []byte, value json.RawMessage) {
			if !seen[string(name)] && len(seen) < maxPlaces {
				seen[string(name)] = true
				names = append(names, string(name))
			}
			if !nested && string(name) == "traits" {
				add(value, true)
			}
		})
	}
	for _, in := range s.inputs.All {
		if in.Once {
			return nil, errNoNames(in.Name)
		}
		opened, err := s.openTable(ctx, in, nil)
		if err != nil {
			return nil, err
		}
		t, ok := opened.(*ndjsonTable)
		for ok {
			var line []byte
			if line, _, err = t.lines.next(); err != nil {
				break
			}
			add(line, false)
		}
		if closeErr := opened.Close(); err == nil || err == io.EOF {
			err = closeErr
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.Name, err)
		}
	}
	return names, nil
}
