package sync

import (
	"slices"
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
