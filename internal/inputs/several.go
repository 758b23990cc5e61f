package inputs

import (
	"bytes"
	"fmt"

	"gleapsync/internal/attr"
	"gleapsync/internal/human"
)

// What counts of several rows of one user in one export. A file's rows come in the order in which
// somebody wrote them, and the last one counts. A database sends them as they lie there, so that
// an attribute would change from run to run without a change: there true counts before false, and
// else the greater value.

// torn counts the users whose rows in an export say different things.
type torn struct {
	users int
	mark  uint32 // of the contact that was counted last
}

// replaces reports whether a value that comes later counts, and not the one before.
func (e *Input) replaces(before, v attr.Value) bool {
	return e.HasOrder() || v.Compare(before) > 0
}

// choose reports whether a value that an export says later of an attribute counts.
func (w *Wanted) choose(e *Input, before, v attr.Value) bool {
	if !before.Equal(v) {
		w.tear(e)
	}
	return e.replaces(before, v)
}

// sayField takes in what an export says of a column of the contact fields. Of several rows the first
// text counts where there is an order, and of several exports that of the first.
func (w *Wanted) sayField(e *Input, column int, text []byte) {
	f := &w.fields[column]
	switch {
	case f.mark != w.now:
		*f = said[fieldText]{fieldText{text, e.Index}, w.now}
		return
	case f.value.from != e.Index:
		if !bytes.Equal(f.value.text, text) {
			w.differ[column] = w.now
		}
		return
	}
	order := bytes.Compare(text, f.value.text)
	if order != 0 {
		w.tear(e)
	}
	if order > 0 && !e.HasOrder() {
		f.value.text = text
	}
}

func (w *Wanted) tear(e *Input) {
	if t := &w.torn[e.Index]; t.mark != w.now {
		*t = torn{t.users + 1, w.now}
	}
}

// placed is what a row says, and where.
type placed struct {
	attr.Value
	place
}

// chosen returns which of the values of one user's rows counts, and where it stands.
func (s *snapshot) chosen(a *Attribute, rows []placed) (value attr.Value, at place) {
	for _, row := range rows {
		v := a.value(row.Value)
		says, said := v.Kind() > attr.Null, value.Kind() > attr.Null
		if says && (!said || s.replaces(value, v)) || value.Kind() == attr.None {
			value, at = v, row.place
		}
	}
	return value, at
}

// TornNote says that so many users have rows in the export that say different things, "" if none has.
func (e *Input) TornNote(users int) string {
	if users == 0 {
		return ""
	}
	have, counts := "have", "the last row counts"
	if users == 1 {
		have = "has"
	}
	if !e.HasOrder() {
		counts = "true counts before false, and else the greater value; a query with one row for each user can choose another"
	}
	return fmt.Sprintf("%s %s several rows in %s that say different things: %s", human.Count(users, "user"), have, e.Origin(), counts)
}
