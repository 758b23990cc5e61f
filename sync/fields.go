package sync

import (
	"slices"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// missingFields returns the columns and traits under [contact] that no export has. What was
// not read in this run is as the last whole sync had it.
func (p *plan) missingFields() []string {
	if p.Alone {
		return nil
	}
	columns := inputs.Columns(p.o.Fields)
	found := make([]bool, len(columns))
	all := true
	for _, e := range p.exports {
		switch {
		case len(e.Fields) == 0:
		case e.Rows == nil:
			all = false
		default:
			for i, has := range e.Result.Fields {
				found[i] = found[i] || has
			}
		}
	}
	var before []string
	if !all {
		if last, err := runs.LastWhole(p.store); err == nil && last != nil {
			before = last.FieldsMissing
		}
	}
	var missing []string
	for i, column := range columns {
		if !found[i] && (all || slices.Contains(before, column)) {
			missing = append(missing, column)
		}
	}
	return missing
}

// diffFields adds the contact fields that changed, or all of them. While some exports
// that have contact fields are not looked at, what the others say may be a part only,
// or come second: it is good enough for a field that Gleap does not have yet.
func (p *pass) diffFields(all bool) {
	if len(p.o.Fields) == 0 {
		return
	}
	c, e := &p.contact, &p.entry
	var leftOut [gleap.LastPageView + 1]int
	var lastActivity []byte
	hasPage, hasActivity := false, false
	first := p.isFirst()
	column := 0
	for i, f := range p.o.Fields {
		text, differs := c.Field(column, len(f.Columns))
		if differs {
			p.found.differ[i]++
		}
		column += len(f.Columns)
		if len(text) == 0 {
			continue
		}
		clean, ok := f.Field.Clean(text)
		if !ok {
			leftOut[f.Field]++
			continue
		}
		p.found.hasField[f.Field] = true
		class := runs.ClassFirst
		changed := c.fieldChanged(p.store, f.Field, clean)
		if changed && p.fieldsBefore[f.Field] && !first {
			class = runs.ClassChange
		}
		changed = changed || all
		if changed && !p.fieldsComplete {
			p.found.fieldsPostponed = true
			changed = !c.hasField(f.Field)
		}
		if changed {
			e.Class = min(e.Class, class)
			e.Fields = append(e.Fields, gleap.FieldText{Field: f.Field, Text: clean})
		}
		switch f.Field {
		case gleap.LastPageView:
			hasPage = changed
		case gleap.LastActivity:
			lastActivity, hasActivity = clean, changed
		}
	}
	if hasPage && !hasActivity && lastActivity != nil { // it dates the page view
		e.Fields = append(e.Fields, gleap.FieldText{Field: gleap.LastActivity, Text: lastActivity})
	}
	if !c.known && !p.fieldsComplete {
		p.found.fieldsPostponed = true
	}
	if !e.Empty() {
		for f, n := range leftOut {
			p.found.leftOut[f] += n
		}
	}
}

// fieldChanged reports whether Gleap acknowledged another text, or none yet.
func (c *contact) fieldChanged(store *state.Store, field gleap.Field, text []byte) bool {
	return !c.hasField(field) || !slices.Contains(c.record.Fields, store.FieldHash(byte(field), text))
}
