package sync

import (
	"bytes"
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
	progress    *progress // may be nil

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
	source *engage.Source
	name   string
	what   string          // the column that says what a row is about
	whats  int             // how many numbers there are for what a row is about
	rows   *extsort.Sorter // by profile
	result engage.Result
	err    error // why the table cannot be used
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
	return &longTable{source: source, name: e.Source, what: what}, err
}

// fingerprint is that of the tables and the settings, as [engage.Source.Fingerprint] has it.
// What wildcards take is no part of it: before reading that is not known.
func (t *profiles) fingerprint() (fingerprint, former string) {
	traits, formerTraits := t.traits.source.Fingerprint()
	ids, formerIDs := t.ids.source.Fingerprint()
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
func (t *longTable) sort(ctx context.Context, progress *progress, number func(what []byte) (int, error), names bool) error {
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
	t.result, t.err = t.source.Read(ctx, func(profile []byte, cells []attr.Value) error {
		if read++; read%(1<<14) == 0 && progress != nil {
			progress.add(1 << 14)
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

// profile is what the rows of one profile say.
type profile struct {
	said      []newest // of the attributes and the contact fields
	addresses []newest // of addressTypes
	users     []user
	misspelt  bool // there is an id of a type that is almost user_id
}

// newest is the value of the newest row.
type newest struct {
	found bool
	seq   int64
	value attr.Value // as it was said
	text  []byte     // holds that of value
}

func (n *newest) add(seq int64, value attr.Value) {
	if !n.found || seq >= n.seq {
		n.text = append(n.text[:0], value.Text()...)
		n.found, n.seq, n.value = true, seq, attr.Of(value.Kind(), n.text)
	}
}

// hasText reports whether there is a text; null is none, as in other exports' fields.
func (n *newest) hasText() bool {
	return n.found && len(n.value.Text()) > 0 && string(n.text) != "null"
}

type user struct {
	id  []byte
	seq int64
}

// join reads the sorted tables in step and calls yield with each user id and the values of
// the attributes and of the contact fields. An error is one of the run.
func (t *profiles) join(ctx context.Context, attributes []engage.Attribute, buffer int, yield func(userID []byte, cells []attr.Value) error) (engage.Result, error) {
	t.values = make([]int, len(attributes))
	result := engage.Result{
		Rows: t.traits.result.Rows + t.ids.result.Rows, Invalid: t.traits.result.Invalid + t.ids.result.Invalid,
		Attributes: make([]engage.AttributeResult, len(attributes)), Fields: make([]bool, len(t.settings.Fields)),
		Problems: slices.Concat(t.traits.result.Problems, t.ids.result.Problems),
	}
	for _, table := range []*longTable{t.traits, t.ids} {
		if n := table.result.Unknown; n > 0 {
			result.Miss(n, table.result.FirstUnknown)
		}
	}
	ambiguous := map[int][]int{}
	places := t.places(t.names, attributes, ambiguous) // by the numbers of the names
	for i, a := range attributes {
		if found := ambiguous[i]; found != nil {
			result.Attributes[i].Err = fmt.Errorf("%s has the names %q and %q, and either may be %q: write the one that is meant as the rows have it", t.traits.name, t.names[found[0]], t.names[found[1]], a.Name)
			continue
		}
		if !t.settings.AllowEmpty && !slices.ContainsFunc(places, func(p []int) bool { return slices.Contains(p, i) }) {
			result.Attributes[i].Err = fmt.Errorf("%s: no row has the name %s: if nobody has it and that is right, set allow_empty = true", t.traits.name, a.Name)
		}
	}
	p := profile{
		said:      make([]newest, len(attributes)+len(t.settings.Fields)),
		addresses: make([]newest, len(addressTypes)),
	}
	cells := make([]attr.Value, len(p.said))
	traits, ids := t.traits.open(buffer), t.ids.open(buffer)
	var id []byte
	for n := 0; traits.more; n++ {
		if n&0xfff == 0 && ctx.Err() != nil {
			return result, ctx.Err()
		}
		id = append(id[:0], traits.profile...)
		p.reset()
		for ; traits.more && bytes.Equal(traits.profile, id); traits.next() {
			for _, place := range places[traits.what] {
				p.said[place].add(traits.seq, traits.value)
			}
		}
		for ids.more && bytes.Compare(ids.profile, id) < 0 {
			ids.next()
		}
		for ; ids.more && bytes.Equal(ids.profile, id); ids.next() {
			if reason, known := p.addID(ids); reason != "" {
				problem := engage.Problem{File: t.ids.name, Column: "value", Reason: reason}
				result.Invalid++
				addProblem(&result, problem)
				if !known {
					result.Miss(1, problem)
				}
			}
		}
		if len(p.users) == 0 && p.misspelt {
			problem := engage.Problem{File: t.ids.name, Column: "type", Reason: "the profile has no user_id, and an id of a type that is almost that"}
			result.Invalid++
			addProblem(&result, problem)
			result.Miss(1, problem)
			continue
		}
		if len(p.users) == 0 {
			result.WithoutUserID++
			continue
		}
		t.cells(&p, attributes, cells, &result)
		for _, user := range p.chosen(t.settings.Identifiers) {
			if err := yield(user.id, cells); err != nil {
				return result, err
			}
		}
	}
	return result, cmp.Or(traits.failed, ids.failed)
}

func (p *profile) reset() {
	for i := range p.said {
		p.said[i].found = false
	}
	for i := range p.addresses {
		p.addresses[i].found = false
	}
	p.users, p.misspelt = p.users[:0], false
}

// addID takes a row of user_identifiers. The reason says why it names nobody, see
// [engage.UserID].
func (p *profile) addID(row *longRows) (reason string, known bool) {
	if row.what == misspelt {
		p.misspelt = true
		return "", true
	}
	if row.what > 0 {
		p.addresses[row.what-1].add(row.seq, row.value)
		return "", true
	}
	id, reason, known := engage.UserID(row.value)
	if reason == "" && id != nil {
		p.users = append(p.users, user{bytes.Clone(id), row.seq})
	}
	return reason, known
}

// chosen returns those of the profile's user ids that count. The first one is the oldest.
func (p *profile) chosen(which engage.Identifiers) []user {
	slices.SortStableFunc(p.users, func(a, b user) int { return cmp.Compare(a.seq, b.seq) })
	switch which {
	case engage.FirstID:
		return p.users[:1]
	case engage.LastID:
		return p.users[len(p.users)-1:]
	}
	slices.SortFunc(p.users, func(a, b user) int { return bytes.Compare(a.id, b.id) })
	return slices.CompactFunc(p.users, func(a, b user) bool { return bytes.Equal(a.id, b.id) })
}

// cells makes values of what the rows of a profile say.
func (t *profiles) cells(p *profile, attributes []engage.Attribute, cells []attr.Value, result *engage.Result) {
	clear(cells)
	for i, a := range attributes {
		if !p.said[i].found {
			continue
		}
		t.values[i]++
		v, reason := a.Value(p.said[i].value, &result.Attributes[i].Fits)
		if reason != "" {
			result.Attributes[i].Invalid++
			addProblem(result, engage.Problem{File: t.traits.name, Column: a.Name, Reason: reason})
		}
		if v.Kind() == attr.None {
			v = attr.OfNull() // there is a row, and it says nothing
		}
		cells[i] = v
	}
	for i, field := range t.settings.Fields {
		place := len(attributes) + i
		said := &p.said[place]
		if n := slices.Index(addressTypes, field); n >= 0 && !said.hasText() {
			said = &p.addresses[n]
		}
		if said.hasText() {
			cells[place], result.HasFields, result.Fields[i] = attr.OfString(said.text), true, true
		}
	}
}

// longRows reads the sorted rows of a table.
type longRows struct {
	stream  extsort.Stream
	whats   int // how many there are
	more    bool
	profile []byte
	what    int // see [longTable.sort]
	seq     int64
	value   attr.Value
	failed  error
}

func (t *longTable) open(buffer int) *longRows {
	r := &longRows{stream: t.rows.Stream(extsort.Span{}, buffer), whats: t.whats}
	r.next()
	return r
}

func (r *longRows) next() {
	var row []byte
	if r.profile, row, r.more = r.stream.Next(); !r.more {
		r.failed = r.stream.Err()
		return
	}
	var err error
	what, n := binary.Uvarint(row)
	if n <= 0 || what >= uint64(r.whats) {
		r.more, r.failed = false, extsort.ErrTemp
		return
	}
	seq, m := binary.Varint(row[n:])
	if m <= 0 {
		r.more, r.failed = false, extsort.ErrTemp
		return
	}
	r.what, r.seq = int(what), seq
	if r.value, _, err = attr.Cut(row[n+m:]); err != nil {
		r.more, r.failed = false, extsort.ErrTemp
	}
}

// closeRows gives the memory and the temporary files of the sorted tables back.
func (t *profiles) closeRows() {
	for _, table := range []*longTable{t.traits, t.ids} {
		if table.rows != nil {
			table.rows.Close()
		}
	}
}

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
		t.progress = p.runner.progress
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
	return e.source.Fingerprint()
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

// joinProfiles sorts the rows of one export. What is wrong with it holds it; an error is
// one of the run.
func (p *plan) joinProfiles(ctx context.Context, e *export, request Request) error {
	t, budget := e.profiles, p.runner.o.Memory/8
	t.settings.Attributes = e.Attributes
	defer t.closeRows()
	if err := t.sort(ctx, budget, &p.memory, p.runner.temp); err != nil {
		return err
	}
	if err := t.err(); err != nil {
		e.refuse(err)
		return nil
	}
	taken := t.taken()
	e.rename(t.names, taken)
	t.settings.Attributes = e.Attributes
	taken = t.taken()
	before := len(e.attributes)
	p.addTaken(e, taken, request)
	if len(e.attributes) < before+len(taken) {
		e.fingerprint, e.former = "", "" // the next run has to find again what cannot be an attribute
	}
	for _, a := range e.attributes[before:] {
		if reason := checkAge(e.asOf, a.applied, e.MaxAge, p.runner.now()); reason != "" {
			a.hold(reason)
		}
	}
	e.rows = extsort.New(budget, &p.memory, p.runner.temp)
	var row []byte
	var err error
	e.result, err = t.join(ctx, e.Attributes, t.buffer(budget), func(userID []byte, cells []attr.Value) error {
		row = appendCells(row[:0], cells)
		return e.rows.Add(userID, row)
	})
	if err != nil {
		return err
	}
	limit := p.runner.o.Guard.MaxInvalid
	for i, a := range e.attributes {
		r := e.result.Attributes[i]
		reason := cmp.Or(
			checkInvalid(t.traits.result.Invalid, t.traits.result.Rows, limit),
			checkInvalid(e.result.Invalid-t.traits.result.Invalid, t.ids.result.Rows, limit),
			checkInvalid(r.Invalid, t.values[i], limit), // the rows are of many attributes
		)
		if r.Err != nil {
			reason = r.Err.Error()
		}
		if reason != "" {
			a.hold(reason + a.misfit(r.Invalid))
		}
		a.decideType(r.Fits)
	}
	return e.rows.Finish()
}
