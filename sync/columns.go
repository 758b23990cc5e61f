package sync

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"gleapsync/engage"
	"gleapsync/internal/extsort"
)

// Which attributes a table with patterns has only its header tells. Headers are read as rows
// are: some at a time, and a command or a connection begins when its turn comes. What can be
// read only once is read as a whole then, and what cannot be an attribute is left out of its
// rows once all headers are known: two tables may have the same name.

// readHeaders reads the headers of the tables that were opened and whose patterns take some
// columns. An error is one of the run.
func (p *plan) readHeaders(ctx context.Context) error {
	var tables []*export
	for _, e := range p.exports {
		if e.source != nil && len(e.Wildcards) > 0 && !e.Changes && !p.isAsBefore(e) && !(e.source.Once() && p.isTooOld(e)) {
			tables = append(tables, e)
		}
	}
	if len(tables) == 0 {
		return nil
	}
	workers, budget := p.readers(len(tables))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, e := range tables {
		group.Go(func() (failed error) {
			if !e.source.Once() {
				e.columns, e.openErr = e.source.Header(ctx)
				return ctx.Err()
			}
			e.rows = extsort.New(budget, &p.memory, p.runner.temp)
			e.openErr, failed = p.sortRows(ctx, e, func(columns []string) []engage.Attribute {
				e.columns, e.read = columns, p.wanted(e, columns)
				return e.read
			})
			if e.openErr != nil {
				e.read = nil
			}
			return failed
		})
	}
	return group.Wait()
}

// wanted returns all attributes that an export may have, given its columns.
func (p *plan) wanted(e *export, columns []string) []engage.Attribute {
	return slices.Concat(e.Attributes, p.taken(e, columns))
}

// taken returns the attributes for which an export's wildcards may stand: the columns that
// match, and those that matched before. Of these none may vanish without a word.
func (p *plan) taken(e *export, columns []string) []engage.Attribute {
	taken := e.TakeColumns(columns)
	for _, a := range remembered(e.Export, p.settings, p.overview.Attributes) {
		if !hasKey(taken, a.Key) {
			taken = append(taken, a)
		}
	}
	return taken
}

func hasKey(attributes []engage.Attribute, key string) bool {
	return slices.ContainsFunc(attributes, func(a engage.Attribute) bool { return a.Key == key })
}

// isElsewhere reports whether an attribute that an export's wildcards took before, or may have
// taken, is not one of its columns, and another export feeds it.
func (p *plan) isElsewhere(e *export, a engage.Attribute) bool {
	return !hasKey(e.TakeColumns(e.columns), a.Key) && (p.fed(a.Key) != nil || slices.ContainsFunc(p.exports, func(other *export) bool {
		return other != e && hasKey(other.TakeColumns(other.columns), a.Key)
	}))
}

// isAsBefore reports whether the export has the inputs and the settings with which all
// attributes were applied that its wildcards took. Then its header has no others.
func (p *plan) isAsBefore(e *export) bool {
	before := *e
	before.Attributes = p.wanted(e, nil)
	fingerprint, _ := p.fingerprint(&before)
	return fingerprint != "" && len(before.Attributes) > 0 && !slices.ContainsFunc(before.Attributes, func(a engage.Attribute) bool {
		return p.known[a.Key].Applied.Fingerprint != fingerprint
	})
}

// isTooOld reports whether nothing of the export can be applied because of its age, so that
// it need not be read as a whole.
func (p *plan) isTooOld(e *export) bool {
	all := p.wanted(e, nil)
	return len(all) > 0 && !slices.ContainsFunc(all, func(a engage.Attribute) bool {
		return checkAge(e.asOf, p.known[a.Key].Applied, e.MaxAge, p.runner.now()) == ""
	})
}

// resolve adds the attributes for which a table's wildcards stand.
func (p *plan) resolve(e *export, request Request) {
	taken := slices.DeleteFunc(p.taken(e, e.columns), func(a engage.Attribute) bool { return p.isElsewhere(e, a) })
	p.addTaken(e, taken, request)
	if e.read == nil {
		return
	}
	results := make([]engage.AttributeResult, len(e.attributes))
	e.cells = make([]*attribute, len(e.read))
	for cell, read := range e.read {
		same := func(a *attribute) bool {
			return a.Key == read.Key && a.Kind == read.Kind && a.Name == read.Name && a.Column == read.Column
		}
		if i := slices.IndexFunc(e.attributes, same); i >= 0 {
			e.cells[cell], results[i] = e.attributes[i], e.result.Attributes[cell]
		}
	}
	e.result.Attributes = results
}
