package savedplan

import (
	"errors"
	"slices"
	"testing"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// TestCheck: what of the state changed in what the plan is about refuses it, what a run of the plan
// itself leaves does not, nor what it is not about.
func TestCheck(t *testing.T) {
	later := time.Date(2026, 11, 30, 5, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		change  func(p *Plan, now *Settings, o *state.Overview, mark *state.Mark)
		refused bool
	}{
		"nothing":         {func(*Plan, *Settings, *state.Overview, *state.Mark) {}, false},
		"more commits":    {func(_ *Plan, _ *Settings, _ *state.Overview, m *state.Mark) { m.Commits += 9 }, false},
		"an older copy":   {func(_ *Plan, _ *Settings, _ *state.Overview, m *state.Mark) { m.Commits-- }, true},
		"another state":   {func(_ *Plan, _ *Settings, _ *state.Overview, m *state.Mark) { m.ID = "22" }, true},
		"another project": {func(_ *Plan, s *Settings, _ *state.Overview, _ *state.Mark) { s.Project = "zenith" }, true},
		"another Gleap":   {func(_ *Plan, s *Settings, _ *state.Overview, _ *state.Mark) { s.Gleap = "us" }, true},
		"booleans":        {func(_ *Plan, s *Settings, _ *state.Overview, _ *state.Mark) { s.BooleanAs = "number" }, true},
		"its resync":      {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) { o.Epoch = 3 }, false},
		"another resync":  {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) { o.Epoch = 4 }, true},
		"a resync's end":  {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) { o.Resynced = 2 }, true},
		"applied": {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) {
			o.Attributes[1].Applied = state.Applied{Fingerprint: "ef", AsOf: later, At: later}
		}, true},
		"begun by another": {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) {
			o.Attributes[1].Applied.Fingerprint, o.Attributes[1].Applied.AsOf = "", later
		}, true},
		"begun": {func(p *Plan, _ *Settings, o *state.Overview, _ *state.Mark) {
			o.Attributes[1].Applied.Fingerprint, o.Attributes[1].Applied.AsOf = "", p.Job.Attributes[0].AsOf
		}, false},
		"delivered by itself": {func(p *Plan, _ *Settings, o *state.Overview, _ *state.Mark) {
			o.Attributes[1].Applied = *p.Job.Attributes[0].Done
			o.Attributes[1].Applied.At = later
		}, false},
		"cut short": {func(p *Plan, _ *Settings, o *state.Overview, _ *state.Mark) {
			o.Attributes[1].Applied = *p.Job.Attributes[0].CutShort
		}, false},
		"of an attribute that it is not about": {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) { o.Attributes[2].Applied.AsOf = later }, false},
		"it is held": {func(p *Plan, _ *Settings, o *state.Overview, _ *state.Mark) {
			p.Job.Attributes[0].AsOf, o.Attributes[1].Applied.AsOf = time.Time{}, later
		}, false},
		"retired":     {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) { o.Attributes[1].Retired = true }, true},
		"gone":        {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) { o.Attributes = o.Attributes[:1] }, true},
		"another key": {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) { o.Attributes[2].Key = "other" }, true},
		"elsewhere": {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) {
			o.Attributes = append(o.Attributes, state.Attribute{ID: 3, Key: "vip", Members: 1})
		}, true},
		"a new one came": {func(_ *Plan, _ *Settings, o *state.Overview, _ *state.Mark) {
			o.Attributes = append(o.Attributes, state.Attribute{ID: 3, Key: "other", Members: 1})
		}, false},
	} {
		p, _, _ := sample(t)
		o := state.Overview{Epoch: 2, Resynced: 1, Attributes: []state.Attribute{
			{ID: 0, Key: "former"}, {ID: 1, Key: "vip", Applied: p.Job.Attributes[0].Before}, {ID: 2, Key: "tier"},
		}}
		now, mark := Settings{Project: "acme", Gleap: "eu", BooleanAs: "text"}, *p.State
		test.change(p, &now, &o, &mark)
		var refused *RefusedError
		if err := p.Check(now, &o, &mark); (err != nil) != test.refused || err != nil && !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, _, _ := sample(t)
	if err := p.Check(Settings{Project: "acme", Gleap: "eu", BooleanAs: "text"}, &state.Overview{Epoch: 2, Resynced: 1}, nil); err == nil {
		t.Error("the state is not there any more, and nobody minds")
	}
}

// TestConcerned: of other runs those count that told contacts something where the plan has contact
// fields, and those that applied changes where it has some.
func TestConcerned(t *testing.T) {
	applied := []runs.ExportReport{{Status: runs.StatusApplied}}
	sent := runs.ContactCounts{Sent: 1}
	for name, test := range map[string]struct {
		report       runs.Report
		fields, said bool
		refused      bool
	}{
		"before":            {runs.Report{Run: "20261129T", Contacts: sent}, true, true, false},
		"its own":           {runs.Report{Run: "3", Plan: "20261130T010203", Contacts: sent, Outcome: runs.Partial}, true, true, false},
		"lost":              {runs.Report{Run: "3", Contacts: sent, Outcome: runs.Lost}, true, true, false},
		"sent":              {runs.Report{Run: "3", Contacts: sent}, true, false, true},
		"assumed":           {runs.Report{Run: "3", Contacts: runs.ContactCounts{Assumed: 1}}, true, false, true},
		"sent, no fields":   {runs.Report{Run: "3", Contacts: sent}, false, false, false},
		"sent, changes":     {runs.Report{Run: "3", Contacts: sent}, false, true, true},
		"applied, changes":  {runs.Report{Run: "3", Exports: applied}, false, true, true},
		"applied, fields":   {runs.Report{Run: "3", Exports: applied}, true, false, false},
		"nothing new, both": {runs.Report{Run: "3", Exports: []runs.ExportReport{{Status: runs.StatusUnchanged}, {Status: runs.StatusHeld}}}, true, true, false},
	} {
		p, _, _ := sample(t)
		if p.Fields, p.Said = test.fields, 0; test.said {
			p.Said = 1
		}
		if err := p.Concerned(&test.report); (err != nil) != test.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, _, _ := sample(t)
	for outcome, complete := range map[runs.Outcome]bool{runs.Complete: true, runs.Held: true, runs.Partial: false, runs.Failed: false, runs.Interrupted: false} {
		if err := p.Completed(&runs.Report{Plan: p.ID, Outcome: outcome}); (err != nil) != complete {
			t.Errorf("%s: %v", outcome, err)
		}
		if err := p.Completed(&runs.Report{Plan: "another", Outcome: outcome}); err != nil {
			t.Error(err)
		}
	}
}

// TestStand: how far a contact came the state alone says.
func TestStand(t *testing.T) {
	const epoch = 3
	hash := func(field byte, text []byte) state.FieldHash {
		return state.FieldHash{Field: field, Hash: [8]byte(append(slices.Clone(text), make([]byte, 8)...))}
	}
	email := gleap.FieldText{Field: gleap.Email, Text: []byte("a@x.io")}
	change := func(n int, old, value attr.Value) *planfile.Entry { // of n attributes
		e := &planfile.Entry{UserID: []byte("u1")}
		for id := range n {
			e.Attributes = append(e.Attributes, state.Change{ID: uint32(id), Value: value})
			e.Origins = append(e.Origins, planfile.Origin{Old: old})
		}
		return e
	}
	yes, no, none := attr.OfBool(true), attr.OfBool(false), attr.Value{}
	record := func(epoch uint64, n int, values ...attr.Value) state.Record { // the first n have the first value, the others the second
		r := state.Record{Epoch: epoch}
		for id := range 40 {
			v := values[0]
			if id >= n {
				v = values[1]
			}
			if v.Kind() != attr.None {
				r.Attributes = append(r.Attributes, state.Known{ID: uint32(id), Value: v})
			}
		}
		return r
	}
	withField := func(r state.Record) state.Record {
		r.Fields = append(r.Fields, hash(byte(email.Field), email.Text))
		return r
	}
	alsoField := func(e *planfile.Entry) *planfile.Entry {
		e.Fields = append(e.Fields, email)
		return e
	}
	parked := func(e *planfile.Entry, told int) *state.Parked {
		left := *e
		left.CutTold(told)
		return &state.Parked{Wanted: left.WantedHash()}
	}
	wide := change(40, yes, no)
	for name, test := range map[string]struct {
		entry      *planfile.Entry
		record     state.Record
		unanswered []state.Change
		parked     *state.Parked
		standing   standing
		told       int
	}{
		"as it was":                 {change(1, yes, no), record(3, 40, yes), nil, nil, isOpen, 0},
		"told":                      {change(1, yes, no), record(3, 1, no, yes), nil, nil, isOver, 1},
		"something else":            {change(1, yes, no), record(3, 1, attr.OfNull(), yes), nil, nil, isChanged, 0},
		"new":                       {change(1, none, yes), state.Record{}, nil, nil, isOpen, 0},
		"new and told":              {change(1, none, yes), record(3, 1, yes, none), nil, nil, isOver, 1},
		"forgotten what it was":     {change(1, yes, no), state.Record{}, nil, nil, isChanged, 0},
		"told a part":               {change(2, yes, no), record(3, 1, no, yes), nil, nil, isChanged, 0},
		"told the first call":       {wide, record(3, 35, no, yes), nil, nil, isOpen, 35},
		"and more":                  {wide, record(3, 36, no, yes), nil, nil, isChanged, 0},
		"told both calls":           {wide, record(3, 40, no), nil, nil, isOver, 40},
		"unanswered":                {change(1, yes, yes), record(3, 40, yes), []state.Change{{ID: 0, Value: no}}, nil, isOpen, 0},
		"answered":                  {change(1, yes, yes), record(3, 40, yes), []state.Change{{ID: 7, Value: no}}, nil, isOver, 1},
		"the resync goes on":        {change(1, yes, yes), record(2, 40, yes), nil, nil, isOpen, 0},
		"the resync came to it":     {change(1, yes, yes), record(3, 40, yes), nil, nil, isOver, 1},
		"first call of the resync":  {wide, record(2, 35, no, yes), nil, nil, isOpen, 0},
		"its field":                 {alsoField(change(0, yes, yes)), record(3, 40, yes), nil, nil, isOpen, 0},
		"its field is told":         {alsoField(change(0, yes, yes)), withField(record(3, 40, yes)), nil, nil, isOver, 0},
		"told without its field":    {alsoField(change(1, yes, no)), record(3, 1, no, yes), nil, nil, isChanged, 0},
		"told with its field":       {alsoField(change(1, yes, no)), withField(record(3, 1, no, yes)), nil, nil, isOver, 1},
		"parked":                    {change(1, yes, no), record(3, 40, yes), nil, parked(change(1, yes, no), 0), isOver, 0},
		"parked for something else": {change(1, yes, no), record(3, 40, yes), nil, &state.Parked{Wanted: 5}, isOpen, 0},
		"parked, to be tried again": {change(1, yes, no), record(3, 40, yes), nil, &state.Parked{}, isOpen, 0},
		"second call parked":        {wide, record(3, 35, no, yes), nil, parked(wide, 35), isOver, 35},
	} {
		known := Known{Record: &test.record, Unanswered: test.unanswered, Parked: test.parked, FieldHash: hash}
		if s, told := stand(test.entry, known, epoch); s != test.standing || told != test.told {
			t.Errorf("%s: %d, %d told, want %d, %d", name, s, told, test.standing, test.told)
		}
	}
}
