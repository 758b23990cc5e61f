package engage

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/userid"
)

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
// the attributes and of the contact fields.
func (t *profiles) join(ctx context.Context, yield func(userID []byte, cells []attr.Value) error) (Result, error) {
	attributes := t.export.Attributes
	result := Result{
		Rows: t.traits.result.Rows + t.ids.result.Rows, Invalid: t.traits.result.Invalid + t.ids.result.Invalid,
		Attributes: make([]AttributeResult, len(attributes)), Fields: make([]bool, len(t.export.Fields)),
		Problems: slices.Concat(t.traits.result.Problems, t.ids.result.Problems),
		Sparse:   true, longTraits: &t.traits.result, longIDs: &t.ids.result,
	}
	for _, table := range []*longTable{t.traits, t.ids} {
		result.Cut = result.Cut || table.result.Cut
		result.Ends = max(result.Ends, table.result.Ends)
		if n := table.result.Unknown; n > 0 {
			result.miss(n, table.result.FirstUnknown)
		}
	}
	ambiguous := map[int][]int{}
	places := t.places(t.names, ambiguous) // by the numbers of the names
	for i, a := range attributes {
		if found := ambiguous[i]; found != nil {
			result.Attributes[i].Err = fmt.Errorf("%s has the names %q and %q, and either may be %q: write the one that is meant as the rows have it", t.traits.name, t.names[found[0]], t.names[found[1]], a.Name)
			continue
		}
		if !t.export.AllowEmpty && !slices.ContainsFunc(places, func(p []int) bool { return slices.Contains(p, i) }) {
			result.Attributes[i].Err = fmt.Errorf("%s: no row has the name %s: if nobody has it and that is right, set allow_empty = true", t.traits.name, a.Name)
		}
	}
	p := profile{
		said:      make([]newest, len(attributes)+len(t.export.Fields)),
		addresses: make([]newest, len(addressTypes)),
	}
	cells := make([]attr.Value, len(p.said))
	traits, ids := t.traits.open(t.buffer()), t.ids.open(t.buffer())
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
				problem := Problem{File: t.ids.name, Column: "value", Reason: reason}
				result.Invalid++
				result.addProblem(problem)
				if !known {
					result.miss(1, problem)
				}
			}
		}
		if len(p.users) == 0 && p.misspelt {
			problem := Problem{File: t.ids.name, Column: "type", Reason: "the profile has no user_id, and an id of a type that is almost that"}
			result.Invalid++
			result.addProblem(problem)
			result.miss(1, problem)
			continue
		}
		if len(p.users) == 0 {
			result.WithoutUserID++
			continue
		}
		t.cells(&p, cells, &result)
		for _, user := range p.chosen(t.export.Identifiers) {
			if err := yield(user.id, cells); err != nil {
				return result, err
			}
		}
	}
	return result, sortError(cmp.Or(traits.failed, ids.failed))
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
// [userID].
func (p *profile) addID(row *longRows) (reason string, known bool) {
	if row.what == misspelt {
		p.misspelt = true
		return "", true
	}
	if row.what > 0 {
		p.addresses[row.what-1].add(row.seq, row.value)
		return "", true
	}
	id, reason, known := userid.Said(row.value)
	if reason == "" && id != nil {
		p.users = append(p.users, user{bytes.Clone(id), row.seq})
	}
	return reason, known
}

// chosen returns those of the profile's user ids that count. The first one is the oldest.
func (p *profile) chosen(which Identifiers) []user {
	slices.SortStableFunc(p.users, func(a, b user) int { return cmp.Compare(a.seq, b.seq) })
	switch which {
	case FirstID:
		return p.users[:1]
	case LastID:
		return p.users[len(p.users)-1:]
	}
	slices.SortFunc(p.users, func(a, b user) int { return bytes.Compare(a.id, b.id) })
	return slices.CompactFunc(p.users, func(a, b user) bool { return bytes.Equal(a.id, b.id) })
}

// cells makes values of what the rows of a profile say.
func (t *profiles) cells(p *profile, cells []attr.Value, result *Result) {
	clear(cells)
	attributes := t.export.Attributes
	for i, a := range attributes {
		if !p.said[i].found {
			continue
		}
		result.Attributes[i].values++
		v, reason := a.Value(p.said[i].value, &result.Attributes[i].Fits)
		if reason != "" {
			result.Attributes[i].Invalid++
			result.addProblem(Problem{File: t.traits.name, Column: a.Name, Reason: reason})
		}
		if v.Kind() == attr.None {
			v = attr.OfNull() // there is a row, and it says nothing
		}
		cells[i] = v
	}
	for i, field := range t.export.Fields {
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
