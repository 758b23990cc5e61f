package sync

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
)

// profiles is an export of two long tables, as Segment's Profiles Sync has them:
// user_traits with a row for each trait and audience of a profile, and user_identifiers
// with a row for each of its ids. Both are sorted by profile and then read in step. What
// comes out are rows of users, as other exports have them, but for one thing: the value
// null says that a profile has a row of that name which says nothing. A profile that has
// none is absent from the audience.
type profiles struct {
	settings    Export
	traits, ids *longTable
	progress    *runs.Meter // may be nil

	names   []string       // that are wanted, in the order in which they came
	numbers map[string]int // of names, -1 for those that nobody wants
	values  []int          // by attribute: how many were read
}

const (
	profileID = "canonical_segment_id" // the column by which the tables are joined
	userIDs   = "user_id"              // the type of the identifiers that Gleap knows
	maxNames  = 5000                   // that are wanted of one table: far more than Engage has
)

// longTable is one of the tables. A row is about a profile: what it says, the value, and
// seq, which is greater in a newer row.
type longTable struct {
	source  *engage.Source
	columns []engage.Attribute
	name    string
	what    string          // the column that says what a row is about
	whats   int             // how many numbers there are for what a row is about
	rows    *extsort.Sorter // by profile
	result  engage.Result
	err     error // why the table cannot be used
}

// openProfiles finds the inputs of both tables.
func openProfiles(ctx context.Context, e Export) (*profiles, error) {
	traits, err := openLong(ctx, e.Export, "name")
	if err != nil {
		return nil, err
	}
	ids, err := openLong(ctx, *e.ProfileIDs, "type")
	if err != nil {
		return nil, err
	}
	return &profiles{settings: e, traits: traits, ids: ids, numbers: map[string]int{}}, nil
}

func openLong(ctx context.Context, e engage.Export, what string) (*longTable, error) {
	long := e
	long.UserID, long.Identifiers = profileID, engage.AllIDs
	long.Attributes, long.Wildcards, long.Exclude, long.Fields = nil, nil, nil, nil
	for _, column := range []string{what, "value", "seq"} {
		long.Attributes = append(long.Attributes, engage.Attribute{Kind: engage.Trait, Key: column, Name: column, Column: column, Type: engage.Raw})
	}
	source, err := long.Open(ctx)
	return &longTable{source: source, columns: long.Attributes, name: e.Source, what: what}, err
}

// fingerprint is that of the tables and the settings, as [engage.Source.Fingerprint] has it.
// What wildcards take is no part of it: before reading that is not known.
func (t *profiles) fingerprint() (fingerprint, former string) {
	traits, formerTraits := t.traits.source.Fingerprint(t.traits.columns)
	ids, formerIDs := t.ids.source.Fingerprint(t.ids.columns)
	if traits == "" || ids == "" {
		return "", ""
	}
	return traits + ids + t.settings.Settings(), formerTraits + formerIDs + t.settings.Settings()
}

// asOf is the time of the older table: of both together nothing newer is known.
func (t *profiles) asOf() time.Time {
	traits, ids := t.traits.source.AsOf(), t.ids.source.AsOf()
	if ids.Before(traits) {
		return ids
	}
	return traits
}

// sort reads both tables within twice the budget. Why they cannot be used err says
// afterwards; an error is one of the run.
func (t *profiles) sort(ctx context.Context, budget int64, memory *extsort.Memory, temp extsort.CreateTemp) error {
	t.traits.rows, t.ids.rows = extsort.New(budget, memory, temp), extsort.New(budget, memory, temp)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.traits.sort(ctx, t.progress, t.number, false) })
	group.Go(func() error { return t.ids.sort(ctx, t.progress, t.idType, true) })
	err := group.Wait()
	t.traits.whats, t.ids.whats = len(t.names), 1+misspelt
	return err
}

func (t *profiles) err() error { return cmp.Or(t.traits.err, t.ids.err) }

// sort reads a table. number gives what a row is about a number, -1 if nobody wants it. A
// sorted row has that number, seq and what the value says. A row of a profile whose seq is
// broken says nothing; if it names whom the profile is, who that is nobody knows.
func (t *longTable) sort(ctx context.Context, progress *runs.Meter, number func(what []byte) (int, error), names bool) error {
	var failed error // of the sorter
	var row []byte
	var broken engage.Result
	spoilt := func(column, reason string) engage.Problem {
		problem := engage.Problem{File: t.name, Column: column, Reason: reason}
		broken.Invalid++
		addProblem(&broken, problem)
		return problem
	}
	read := 0
	t.result, t.err = t.source.Read(ctx, t.columns, func(profile []byte, cells []attr.Value) error {
		if read++; read%(1<<14) == 0 && progress != nil {
			progress.Add(1 << 14)
		}
		if cells[0].Kind() == attr.None {
			broken.Miss(1, spoilt(t.what, "the row does not say what it is about"))
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
					broken.Miss(1, problem)
					return nil
				}
				seq, value = math.MinInt64, attr.Value{}
			}
		}
		row = binary.AppendUvarint(row[:0], uint64(n))
		row = binary.AppendVarint(row, seq)
		row = value.Append(row)
		failed = t.rows.Add(profile, row)
		return failed
	})
	if failed != nil || ctx.Err() != nil {
		return cmp.Or(failed, ctx.Err())
	}
	for i, column := range t.result.Attributes {
		if column.Err != nil && i < 2 { // seq need not be there
			t.err = cmp.Or(t.err, column.Err)
		}
		t.result.Invalid += column.Invalid
	}
	if n := t.result.WithoutUserID; n > 0 { // without a profile: whom it is about nobody knows
		t.result.Invalid += n
		problem := engage.Problem{File: t.name, Column: profileID, Reason: "the row names no profile"}
		addProblem(&broken, problem)
		broken.Miss(n, problem)
	}
	t.result.Invalid += broken.Invalid
	if broken.Unknown > 0 {
		t.result.Miss(broken.Unknown, broken.FirstUnknown)
	}
	t.result.Problems = append(t.result.Problems, broken.Problems...)
	return t.rows.Finish()
}

// addProblem remembers some of the broken rows.
func addProblem(result *engage.Result, problem engage.Problem) {
	if len(result.Problems) < 5 {
		result.Problems = append(result.Problems, problem)
	}
}

// number returns a name's place among the names, -1 if nobody wants it.
func (t *profiles) number(name []byte) (int, error) {
	if n, ok := t.numbers[string(name)]; ok {
		return n, nil
	}
	n, text := -1, string(name)
	if t.wants(text) {
		if len(t.names) == maxNames {
			return 0, fmt.Errorf("%s: the patterns take more than %d names: make them narrower, or name in exclude what they are not to take", t.traits.name, maxNames)
		}
		n = len(t.names)
		t.names = append(t.names, text)
	}
	if n >= 0 || len(t.numbers) < 2*maxNames { // there may be any number of the others
		t.numbers[text] = n
	}
	return n, nil
}

// wants reports whether a name may be that of an attribute or of a contact field: which ones
// they stand for is known once all names are.
func (t *profiles) wants(name string) bool {
	if len(t.places([]string{name}, t.settings.Attributes, nil)[0]) > 0 {
		return true
	}
	_, taken := t.settings.Take(name)
	return taken && len(t.settings.TakeColumns([]string{name})) > 0
}

// places returns, for each of the names, where among the attributes, and the contact fields
// behind them, stands what it feeds. An attribute that several may feed is ambiguous: its
// names stand there, and none of them feeds it.
func (t *profiles) places(names []string, attributes []engage.Attribute, ambiguous map[int][]int) [][]int {
	places := make([][]int, len(names))
	var others []string
	for _, a := range attributes {
		others = append(others, a.Name)
	}
	for i, a := range attributes {
		found := engage.Places(names, a.Name, others)
		if len(found) > 1 {
			ambiguous[i] = found
			continue
		}
		for _, n := range found {
			places[n] = append(places[n], i)
		}
	}
	for i, field := range t.settings.Fields {
		for _, n := range engage.Places(names, field, nil) {
			places[n] = append(places[n], len(attributes)+i)
		}
	}
	return places
}

// taken returns what the wildcards take of the names that were read.
func (t *profiles) taken() []engage.Attribute {
	return t.settings.TakeColumns(slices.Sorted(slices.Values(t.names)))
}

// idType numbers the types of identifiers: 0 are user ids, then come those that may be
// contact fields too, and then what is almost a user id.
func (t *profiles) idType(name []byte) (int, error) {
	if string(name) == userIDs {
		return 0, nil
	}
	if i := slices.Index(addressTypes, string(name)); i >= 0 {
		return 1 + i, nil
	}
	if engage.IsAlmostUserID(string(name)) {
		return misspelt, nil
	}
	return -1, nil
}

var addressTypes = []string{"email", "phone"}

// misspelt is the number of a type of identifiers that is almost user_id. Whom a profile is
// that has no other nobody knows.
var misspelt = 1 + len(addressTypes)

// buffer is the size of the buffers with which the tables' runs are read, so that all of
// them together stay within so much memory.
func (t *profiles) buffer(memory int64) int {
	runs := 1 + t.traits.rows.Spilled() + t.ids.rows.Spilled()
	return int(min(64<<10, max(32<<10, memory/int64(runs))))
}

// readProfiles calls yield with what an export of two long tables says of each user, as
// [engage.Source.Read] does.
func readProfiles(ctx context.Context, e Export, budget int64, temp extsort.CreateTemp, yield func(userID []byte, cells []attr.Value) error) (engage.Result, error) {
	e.Wildcards = nil // only what is known
	t, err := openProfiles(ctx, e)
	if err != nil {
		return engage.Result{}, err
	}
	defer t.closeRows()
	shared := &extsort.Memory{Room: roomFor(budget)}
	if err := cmp.Or(t.sort(ctx, budget/8, shared, temp), t.err()); err != nil {
		return engage.Result{}, err
	}
	return t.join(ctx, e.Attributes, t.buffer(budget/8), yield)
}

// openProfiles finds the tables of an export, and which attributes it had before. Those
// that its wildcards take beside these are known only once it is read.
func (p *plan) openProfiles(ctx context.Context, e *export, request Request) {
	t, err := openProfiles(ctx, e.Export)
	if err == nil {
		t.progress = p.runner.meter
		e.profiles, e.source, e.dated = t, t.traits.source, dateOf(t.asOf(), p.runner.now())
	}
	p.addTaken(e, remembered(e.Export, p.settings, p.overview.Attributes), request)
	if err != nil {
		e.refuse(err)
	}
}

// hasUnknown reports whether the run may be about attributes that only reading can find.
func (e *export) hasUnknown(request Request) bool {
	return (e.profiles != nil || e.Changes) && (len(e.attributes) == 0 || slices.ContainsFunc(request.Only, func(key string) bool {
		return e.mayTake(key) && !slices.ContainsFunc(e.attributes, func(a *attribute) bool { return a.Key == key })
	}))
}

func (e *export) sourceFingerprint() (fingerprint, former string) {
	if e.profiles != nil {
		return e.profiles.fingerprint()
	}
	return e.source.Fingerprint(e.Attributes)
}

// readProfiles reads the exports of two long tables that are needed, one after the other:
// each may add attributes.
func (p *plan) readProfiles(ctx context.Context, request Request) error {
	for _, e := range p.exports {
		if e.ProfileIDs == nil || !e.isChosen(request) {
			continue
		}
		if e.profiles != nil && (e.usable() || e.hasUnknown(request)) {
			if err := p.joinProfiles(ctx, e, request); err != nil {
				return err
			}
		}
		if len(request.Only) == 0 {
			p.holdPatterns(e)
		}
	}
	return nil
}

// rename gives an attribute that was found before, and whose name no row has any more, the
// name that has its key now. Of several none is it.
func (e *export) rename(names []string, taken []engage.Attribute) {
	for i, a := range e.attributes {
		if !a.found || slices.Contains(names, a.Name) {
			continue
		}
		same := slices.DeleteFunc(slices.Clone(taken), func(b engage.Attribute) bool { return b.Key != a.Key || b.Kind != a.Kind })
		if len(same) == 1 {
			a.Attribute, e.Attributes[i] = same[0], same[0]
		}
	}
}
