package engage

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/keys"
	"gleapsync/internal/values"
)

// Sorting is what the rows of long tables are sorted with, see [Export.ProfileIDs].
type Sorting struct {
	Budget int64 // bytes for the rows of one table, while they are added
	Memory *extsort.Memory
	Temp   extsort.CreateTemp
}

// SortError says that the rows of long tables could not be sorted. It is no fault of the
// export.
type SortError struct{ Err error }

func (e *SortError) Error() string { return e.Err.Error() }

// Unwrap returns the error of the sorter.
func (e *SortError) Unwrap() error { return e.Err }

// sortError is a [SortError], nil if there is none.
func sortError(err error) error {
	if err == nil {
		return nil
	}
	return &SortError{err}
}

// profiles is an export of two long tables, as Segment's Profiles Sync has them:
// user_traits with a row for each trait and audience of a profile, and user_identifiers
// with a row for each of its ids. Both are sorted by profile and then read in step. What
// comes out are rows of users, as other exports have them, but for one thing: the value
// null says that a profile has a row of that name which says nothing. A profile that has
// none is absent from the audience.
type profiles struct {
	export      Export // with the attributes that are wanted; without wildcards if these are all
	traits, ids *longTable

	names   []string       // that are wanted, in the order in which they came
	numbers map[string]int // of names, -1 for those that nobody wants
}

const (
	profileID = "canonical_segment_id" // the column by which the tables are joined
	userIDs   = "user_id"              // the type of the identifiers that Gleap knows
	maxNames  = 5000                   // that are wanted of one table: far more than Engage has
)

// longTable is one of the tables. A row is about a profile: what it says, the value, and
// seq, which is greater in a newer row.
type longTable struct {
	source *Source
	name   string
	what   string          // the column that says what a row is about
	whats  int             // how many numbers there are for what a row is about
	rows   *extsort.Sorter // by profile
	result Result
}

// longExport returns the export of a long table of e; what is the column that says what a row is about.
func longExport(e Export, what string) Export {
	e.UserID, e.Identifiers, e.ProfileIDs = profileID, AllIDs, nil
	e.Attributes, e.Wildcards, e.Exclude, e.Fields = nil, nil, nil, nil
	for _, column := range []string{what, "value", "seq"} {
		e.Attributes = append(e.Attributes, Attribute{Kind: Trait, Key: column, Name: column, Column: column, Type: values.Raw})
	}
	return e
}

// openProfiles finds the inputs of both tables.
func openProfiles(ctx context.Context, e Export) (*Source, error) {
	traits, err := longExport(e, "name").Open(ctx)
	if err != nil {
		return nil, err
	}
	second := longExport(*e.ProfileIDs, "type")
	second.Progress = e.Progress
	ids, err := second.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &Source{tables: tables{export: e, inputs: traits.inputs}, traits: traits, ids: ids}, nil
}

// readProfiles is [Source.read] for long tables. choose is asked first what is wanted
// whatever the names are.
func readProfiles(ctx context.Context, s *Source, attributes []Attribute, choose func([]string) []Attribute, yield func([]byte, []attr.Value) error) (Result, error) {
	p := &profiles{
		export: s.export, numbers: map[string]int{},
		traits: &longTable{source: s.traits, name: s.traits.export.Source, what: "name"},
		ids:    &longTable{source: s.ids, name: s.ids.export.Source, what: "type"},
	}
	if choose != nil {
		attributes = choose(nil)
	} else {
		p.export.Wildcards = nil
	}
	p.export.Attributes = attributes
	defer p.close()
	if err := p.sort(ctx); err != nil {
		return Result{}, err
	}
	if choose != nil {
		p.export.Attributes = choose(slices.Sorted(slices.Values(p.names)))
	}
	result, err := p.join(ctx, yield)
	for name, n := range p.numbers {
		if n < 0 {
			result.OtherNames = append(result.OtherNames, name)
		}
	}
	slices.Sort(result.OtherNames)
	return result, err
}

// sort reads both tables.
func (p *profiles) sort(ctx context.Context) error {
	s := &p.export.Sorting
	p.traits.rows, p.ids.rows = extsort.New(s.Budget, s.Memory, s.Temp), extsort.New(s.Budget, s.Memory, s.Temp)
	group, within := errgroup.WithContext(ctx)
	var errs [2]error // why the tables cannot be used
	group.Go(func() (failed error) {
		errs[0], failed = p.traits.sort(within, p.number, false)
		return failed
	})
	group.Go(func() (failed error) { errs[1], failed = p.ids.sort(within, idType, true); return failed })
	if err := group.Wait(); err != nil {
		return err
	}
	p.traits.whats, p.ids.whats = len(p.names), 1+misspelt
	return cmp.Or(errs[0], errs[1])
}

// sort reads a table. number gives what a row is about a number, -1 if nobody wants it. A
// sorted row has that number, seq and what the value says. A row of a profile whose seq is
// broken says nothing; if it names whom the profile is, who that is nobody knows.
//
// err is why the table cannot be used; failed ends the other table's reading, too.
func (t *longTable) sort(ctx context.Context, number func(what []byte) (int, error), names bool) (err, failed error) {
	var row []byte
	var broken Result
	spoilt := func(column, reason string) Problem {
		problem := Problem{File: t.name, Column: column, Reason: reason}
		broken.Invalid++
		broken.addProblem(problem)
		return problem
	}
	t.result, err = t.source.Read(ctx, t.source.export.Attributes, func(profile []byte, cells []attr.Value) error {
		if cells[0].Kind() == attr.None {
			broken.miss(1, spoilt(t.what, "the row does not say what it is about"))
			return nil
		}
		n, err := number(cells[0].Text())
		if n < 0 || err != nil {
			return err
		}
		value := cells[1]
		seq := int64(math.MinInt64) // where there is none, the last row is the newest
		if cells[2].Kind() != attr.None {
			if seq, err = strconv.ParseInt(string(cells[2].Text()), 10, 64); err != nil {
				problem := spoilt("seq", "the value is not an integer")
				if names {
					broken.miss(1, problem)
					return nil
				}
				seq, value = math.MinInt64, attr.Value{}
			}
		}
		row = binary.AppendUvarint(row[:0], uint64(n))
		row = binary.AppendVarint(row, seq)
		row = value.Append(row)
		failed = sortError(t.rows.Add(profile, row))
		return failed
	})
	if failed != nil || ctx.Err() != nil {
		return nil, cmp.Or(failed, ctx.Err())
	}
	for i, column := range t.result.Attributes {
		if column.Err != nil && i < 2 { // seq need not be there
			err = cmp.Or(err, column.Err)
		}
		t.result.Invalid += column.Invalid
	}
	if n := t.result.WithoutUserID; n > 0 { // without a profile: whom it is about nobody knows
		t.result.Invalid += n
		problem := Problem{File: t.name, Column: profileID, Reason: "the row names no profile"}
		broken.addProblem(problem)
		broken.miss(n, problem)
	}
	t.result.Invalid += broken.Invalid
	if broken.Unknown > 0 {
		t.result.miss(broken.Unknown, broken.FirstUnknown)
	}
	t.result.Problems = append(t.result.Problems, broken.Problems...)
	return err, sortError(t.rows.Finish())
}

// addProblem remembers some of the broken rows.
func (r *Result) addProblem(problem Problem) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, problem)
	}
}

// number returns a name's place among the names, -1 if nobody wants it.
func (p *profiles) number(name []byte) (int, error) {
	if n, ok := p.numbers[string(name)]; ok {
		return n, nil
	}
	n, text := -1, string(name)
	if p.wants(text) {
		if len(p.names) == maxNames {
			return 0, fmt.Errorf("%s: the patterns take more than %d names: make them narrower, or name in exclude what they are not to take", p.traits.name, maxNames)
		}
		n = len(p.names)
		p.names = append(p.names, text)
	}
	if n >= 0 || len(p.numbers) < 2*maxNames { // there may be any number of the others
		p.numbers[text] = n
	}
	return n, nil
}

// wants reports whether a name may be that of an attribute or of a contact field: which ones
// they stand for is known once all names are.
func (p *profiles) wants(name string) bool {
	if len(p.places([]string{name}, nil)[0]) > 0 {
		return true
	}
	_, taken := p.export.Take(name)
	return taken && len(p.export.TakeColumns([]string{name})) > 0
}

// places returns, for each of the names, where among the attributes, and the contact fields
// behind them, stands what it feeds. An attribute that several may feed is ambiguous: its
// names stand there, and none of them feeds it.
func (p *profiles) places(names []string, ambiguous map[int][]int) [][]int {
	places := make([][]int, len(names))
	attributes := p.export.Attributes
	var others []string
	for _, a := range attributes {
		others = append(others, a.Name)
	}
	for i, a := range attributes {
		found := keys.Places(names, a.Name, others)
		if len(found) > 1 {
			ambiguous[i] = found
			continue
		}
		for _, n := range found {
			places[n] = append(places[n], i)
		}
	}
	for i, field := range p.export.Fields {
		for _, n := range keys.Places(names, field, nil) {
			places[n] = append(places[n], len(attributes)+i)
		}
	}
	return places
}

// idType numbers the types of identifiers: 0 are user ids, then come those that may be
// contact fields too, and then what is almost a user id.
func idType(name []byte) (int, error) {
	if string(name) == userIDs {
		return 0, nil
	}
	if i := slices.Index(addressTypes, string(name)); i >= 0 {
		return 1 + i, nil
	}
	if keys.Almost(string(name), userIDs) {
		return misspelt, nil
	}
	return -1, nil
}

var addressTypes = []string{"email", "phone"}

// misspelt is the number of a type of identifiers that is almost user_id. Whom a profile is
// that has no other nobody knows.
var misspelt = 1 + len(addressTypes)

// buffer is the size of the buffers with which the tables' runs are read, so that all of
// them together stay within a table's budget.
func (p *profiles) buffer() int {
	runs := 1 + p.traits.rows.Spilled() + p.ids.rows.Spilled()
	return int(min(64<<10, max(32<<10, p.export.Sorting.Budget/int64(runs))))
}

// close gives the memory and the temporary files of the sorted tables back.
func (p *profiles) close() {
	for _, table := range []*longTable{p.traits, p.ids} {
		if table.rows != nil {
			table.rows.Close()
		}
	}
}
