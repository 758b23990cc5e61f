package engage

import (
	"cmp"
	"encoding/json"

	"gleapsync/internal/attr"
	"gleapsync/internal/cell"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/values"
)

// rowCells reads the cells of a row: its user ids, and what stands in its JSON.
type rowCells struct {
	*layout
	forms []cell.Form // of the columns
	ids   [][]byte

	// What the row's JSON columns hold, as far as that is needed.
	jsonIDs, jsonTraits jsonscan.Members
	items               []json.RawMessage
	traitsSound         bool // the JSON of traits can be read
}

// text returns the text of a column's cell: of JSON that of a string without its quotes.
func (r *rowCells) text(column int, text []byte) []byte {
	if r.forms[column] != cell.JSON {
		return text
	}
	return scalarOrNothing(text)
}

// readObject reads the JSON object in a column, which may be none. It reports false if
// there is something else.
func (r *rowCells) readObject(m jsonscan.Members, fields [][]byte, column int) (jsonscan.Members, bool) {
	if column < 0 || values.IsNull(fields[column]) {
		return m[:0], true
	}
	text := fields[column]
	if text[0] == '"' { // JSON as text within JSON
		text = jsonscan.Text(text)
	}
	return jsonscan.Append(m[:0], text)
}

func (r *rowReader) readCells(fields [][]byte) {
	if r.batch != nil {
		r.cells = r.batch.take(r)
		for _, i := range r.batch.alone {
			r.readCell(i, fields)
		}
		return
	}
	for i := range r.layout.cells {
		if c := &r.layout.cells[i]; c.isBool { // the same, but shorter
			if v, ok := values.ReadBool(fields[c.column]); ok {
				r.cells[i] = v
				continue
			}
		}
		r.readCell(i, fields)
	}
}

func (r *rowReader) readCell(i int, fields [][]byte) {
	source := &r.layout.cells[i]
	r.cells[i] = attr.Value{}
	if i >= len(r.export.Attributes) {
		r.cells[i] = r.readField(source, fields)
		if r.cells[i].Kind() != attr.None {
			r.result.Fields[i-len(r.export.Attributes)] = true
		}
		return
	}
	a := &r.export.Attributes[i]
	reason, fits := "", &r.result.Attributes[i].Fits
	switch {
	case source.member:
		r.cells[i] = attr.OfBool(true)
	case source.inJSON && !r.traitsSound:
		reason = "traits is no JSON object"
	case source.inJSON:
		r.cells[i], reason = a.Value(values.SaidByJSON(r.jsonTrait(source)), fits)
	case source.column >= 0 && r.batch != nil:
		text := r.batch.columns[i].cells.Cell(r.batch.at)
		r.cells[i], reason = a.Value(values.Said(r.forms[source.column], text), fits)
	case source.column >= 0:
		r.cells[i], reason = a.Value(values.Said(r.forms[source.column], fields[source.column]), fits)
	}
	if reason != "" {
		r.result.Attributes[i].Invalid++
		what := r.problem(reason)
		what.Column = cmp.Or(a.Column, a.Key)
		r.result.remember(what)
	}
}

// readField reads a contact field: from a column of its own, else from the JSON of
// traits, else from that of external ids. Who sends it checks it.
func (r *rowCells) readField(source *cellSource, fields [][]byte) attr.Value {
	var text []byte
	if source.column >= 0 {
		text = r.text(source.column, fields[source.column])
	} else if raw := r.jsonTrait(source); len(raw) > 0 {
		text = jsonscan.Text(raw)
	} else if texts := r.appendIDs(nil, r.jsonIDs.Get(source.name)); len(texts) > 0 {
		text = texts[0]
	}
	if values.IsNull(text) || string(text) == "null" {
		return attr.Value{}
	}
	return attr.OfString(text)
}

// jsonTrait finds a trait, which may stand there under its name or its key.
func (r *rowCells) jsonTrait(source *cellSource) json.RawMessage {
	if raw := r.jsonTraits.Get(source.name); raw != nil {
		return raw
	}
	return r.jsonTraits.Get(source.key)
}
