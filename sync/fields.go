package sync

import (
	"bytes"
	"slices"

	"gleapsync/state"
)

// missingFields returns the columns and traits under [contact] that no export has. What was
// not read in this run is as the last whole sync had it.
func (p *plan) missingFields() []string {
	if p.alone {
		return nil
	}
	columns := columns(p.runner.o.Fields)
	found := make([]bool, len(columns))
	all := true
	for _, e := range p.exports {
		switch {
		case len(e.Fields) == 0:
		case e.rows == nil:
			all = false
		default:
			for i, has := range e.result.Fields {
				found[i] = found[i] || has
			}
		}
	}
	var before []string
	if !all {
		if last, err := NewInspector(p.runner.o, p.runner.store).LastWholeSync(); err == nil && last != nil {
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

// differingFields returns how many contacts got different values for a field from several
// exports, by Gleap's name of the field. The first export of the configuration wins.
func (p *plan) differingFields() map[string]int {
	all := map[string]int{}
	for i, n := range p.differ {
		if n > 0 {
			all[p.runner.o.Fields[i].Field.String()] = n
		}
	}
	return all
}

// A contact field counts as delivered once an export of it was delivered as a whole, as an
// attribute does. The state has a list of those that were.

// hasFieldsLeft reports whether contact fields are left over.
func (p *plan) hasFieldsLeft() bool {
	return slices.ContainsFunc(p.fields[:], func(contacts int) bool { return contacts > 0 })
}

// recallFields finds out which contact fields were delivered before.
func (p *plan) recallFields() {
	for _, f := range p.overview.Fields {
		if int(f) < len(p.fieldsBefore) {
			p.fieldsBefore[f] = true
		}
	}
	if p.overview.Fields != nil || !slices.ContainsFunc(p.overview.Attributes, func(a state.Attribute) bool { return a.Applied.HasFields && !a.Applied.At.IsZero() }) {
		return
	}
	for _, f := range p.runner.o.Fields {
		p.fieldsBefore[f.Field] = true
	}
}

// fieldsAfter returns the contact fields that were delivered by now, nil if the state says
// the same.
func (p *plan) fieldsAfter(everything bool) []byte {
	fields := []byte{}
	for f := range p.fieldsBefore {
		now := p.hasField[f] && p.fieldsComplete && !p.fieldsPostponed && (everything || p.fields[f] == 0)
		if p.fieldsBefore[f] || now {
			fields = append(fields, byte(f))
		}
	}
	if p.overview.Fields != nil && bytes.Equal(fields, p.overview.Fields) {
		return nil
	}
	return fields
}
