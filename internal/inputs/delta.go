package inputs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/extsort"
	"gleapsync/internal/rowlist"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
)

// A delta export is a snapshot of which only what differs from the one last applied is read: the
// rows of the users whose prints are other ones than in the list that was left then, and the ids
// of those who have vanished. Whoever is not among these is as before, so nothing of the export
// counts for him. That is right only as long as a whole reading would find nothing to do for him
// either, and chooseLists decides that. Parked and unanswered contacts differ in any case: for them
// there may be something to do.

// delta is what is known of an export's rows besides.
type delta struct {
	before string          // the id of the list that the rows may be compared with, "": none
	prints *extsort.Sorter // of the rows by user id, nil: nobody took them
	header rowlist.Header  // of the list that may be made of them
	some   *rowlist.Users  // of whom rows were read, nil: of all
	differ int             // whose rows differ
	kept   map[uint32]int  // by attribute: of how many who do not differ the rows say nothing although they have it
	after  string          // the id of the list that is left, "": none
	trims  bool            // and it gets smaller once all is delivered
	taken  *taken          // that the database keeps, nil: nothing
	idle   string          // why the database keeps nothing although the settings want it
}

func (d *delta) close() {
	if d.taken != nil {
		d.taken.close()
	}
	if d.prints != nil {
		d.prints.Close()
		d.prints = nil
	}
}

// What a sorter has of a delta export begins with one of these.
const (
	deltaNew   = iota // the user was in no row before,
	deltaKnown        // or was; what follows are the notes of the list
	deltaRow          // a row
)

// How many users may differ, or all rows are read.
const (
	deltaShare  = 4   // one of so many rows,
	deltaFew    = 200 // or so many in any case,
	deltaMemory = 64  // if there is memory: each takes so many bytes
)

// mostDifferent returns how many users may differ of so many rows.
func (s *snapshot) mostDifferent(rows int) int {
	return min(max(deltaFew, rows/deltaShare), max(deltaFew, int(s.budget/deltaMemory)))
}

// chooseLists decides which of the exports that are to be read may be compared with the lists that
// were left of them.
func (r *Inputs) chooseLists(needed []*Input) {
	if r.resends() || r.Alone {
		return
	}
	others := slices.ContainsFunc(r.All, func(e *Input) bool { return e.Rows != nil })
	for _, e := range needed {
		// A contact's fields come from all exports together, and go along with any call.
		isAlone := !others && !slices.ContainsFunc(needed, func(o *Input) bool { return o != e && !o.callsNobody() })
		if applied := e.appliedAlike(); applied && (isAlone || !e.Feeds[0].Applied.HasFields) {
			e.delta.before = e.Feeds[0].Applied.List
		}
	}
}

// appliedAlike reports whether all attributes of the export count in this run, and were applied
// with one content of it, of which nothing was left over.
func (e *Input) appliedAlike() bool {
	return !e.late && len(e.Feeds) > 0 && !slices.ContainsFunc(e.Feeds, func(a *Attribute) bool {
		last, first := a.Applied, e.Feeds[0].Applied
		typed := a.typeNow() != "" || a.Type != values.Auto || last.Members == 0
		return !a.Asked || a.Status != runs.StatusApplied || !typed || last.List == "" || last.List != first.List ||
			last.Fingerprint == "" || last.Fingerprint != first.Fingerprint || last.HasFields != first.HasFields ||
			last.WithheldRuns > 0 || !last.Due.IsZero()
	})
}

// callsNobody reports whether nothing of the export is new, so that it is read for parked and
// unanswered contacts only, and has no contact fields.
func (e *Input) callsNobody() bool {
	return e.appliedAlike() && e.IsApplied(e.Feeds[0]) && !e.Feeds[0].Applied.HasFields
}

// mayLeaveList reports whether a list of the export's rows can be of use to the next run.
func (s *snapshot) mayLeaveList() bool {
	return s.Request.Lists && !s.Alone && s.fingerprint != "" &&
		!slices.ContainsFunc(s.Feeds, func(a *Attribute) bool { return !a.Asked || a.Status != runs.StatusApplied })
}

// errMany ends a comparison that is not worth it.
var errMany = errors.New("too many rows differ")

// compare takes the prints of the rows, if they are of any use, and finds out of whom rows have to
// be read. An error is one of the run: whatever else is wrong, all is read.
func (s *snapshot) compare(ctx context.Context) error {
	d := &s.delta
	if d.before == "" && !s.mayLeaveList() {
		return nil
	}
	if s.Delta != "" {
		return s.take(ctx)
	}
	if !s.source.CanPrint() {
		return nil
	}
	var before *rowlist.Reader
	if d.before != "" {
		var err error
		if before, err = rowlist.Open(s.Basis.state, d.before); err == nil {
			defer before.Close()
		} else {
			before = nil
			s.o.Log.Debug("the list of an export's rows cannot be read", "source", s.Source, "reason", err.Error())
		}
	}
	if before == nil && !s.mayLeaveList() {
		return nil
	}
	d.header = rowlist.Header{ID: rowlist.NewID(), Seed: rand.Uint64()}
	if before != nil {
		d.header.Seed = before.Seed
	}
	rows, err := s.takePrints(ctx)
	if err != nil || d.prints == nil || before == nil || before.Of != d.header.Of {
		return err
	}
	return s.markDifferent(before, rows)
}

// takePrints takes the prints of the rows, if they can be had.
func (s *snapshot) takePrints(ctx context.Context) (rows int, err error) {
	d := &s.delta
	d.prints = s.newRows()
	var failed error
	found, err := s.source.Prints(ctx, s.Attributes, d.header.Seed, func(userID, print []byte) error {
		failed = d.prints.Add(userID, print)
		return failed
	})
	switch {
	case failed != nil || ctx.Err() != nil:
		return 0, cmp.Or(failed, ctx.Err())
	case err != nil: // the reading says it
		d.close()
		return 0, nil
	}
	d.header.Of = s.listOf(found.Form)
	return found.Rows, d.prints.Finish()
}

// markDifferent has the sorter know who differs, before any row.
func (s *snapshot) markDifferent(before *rowlist.Reader, rows int) error {
	d := &s.delta
	most := s.mostDifferent(rows)
	m := s.newMarks()
	for _, userID := range s.unsettled() { // in a row or in none
		if err := m.add(userID, nil); err != nil {
			break
		}
	}
	now := rowlist.NewRows(d.stream())
	err := rowlist.Compare(before, now, func(before, now *rowlist.Row) error {
		if d.differ++; d.differ > most {
			return errMany
		}
		return m.add(cmp.Or(now, before).UserID, before)
	}, func(row *rowlist.Row) error {
		if s.IsUnsettled(row.UserID) {
			return m.add(row.UserID, row)
		}
		m.keep(row)
		return nil
	})
	switch {
	case m.err != nil || now.Err() != nil:
		m.sorter.Close()
		return cmp.Or(m.err, now.Err())
	case err != nil:
		m.sorter.Close()
		s.o.Log.Debug("all rows of an export are read", "source", s.Source, "reason", err.Error())
		return nil
	}
	m.take()
	return nil
}

// marks have the sorter of an export know who differs.
type marks struct {
	of     *snapshot
	sorter *extsort.Sorter
	some   *rowlist.Users
	kept   map[uint32]int // see delta
	text   []byte
	err    error
}

func (s *snapshot) newMarks() *marks {
	return &marks{of: s, sorter: s.newRows(), some: rowlist.NewUsers(), kept: map[uint32]int{}}
}

// add adds a user; before is nil for one who was in no row.
func (m *marks) add(userID []byte, before *rowlist.Row) error {
	if m.text = append(m.text[:0], deltaNew); before != nil {
		m.text[0] = deltaKnown
		m.text = append(m.text, before.Notes...)
	}
	m.some.Add(userID)
	m.err = cmp.Or(m.err, m.sorter.Add(userID, m.text))
	return m.err
}

// keep counts of a user who does not differ what the rows say nothing of, by the notes that stand in
// front.
func (m *marks) keep(row *rowlist.Row) {
	for n := range row.Notes.Nothing().All() {
		m.kept[n.ID]++
	}
}

// take has only the rows of those be read who were added.
func (m *marks) take() {
	m.of.Rows, m.of.delta.some, m.of.delta.kept = m.sorter, m.some, m.kept
}

// stream returns the prints in the order of the user ids.
func (d *delta) stream() extsort.Stream { return d.prints.Stream(extsort.Span{}, 64<<10) }

// listOf returns what a list of the export's rows is of: the form of the rows, all settings that
// matter for what is made of them, and the program that makes it. Where the rows are does not
// matter: the file of each day may have another name.
func (s *snapshot) listOf(form string) [32]byte {
	e := s.Export.Export
	e.Attributes = slices.SortedFunc(slices.Values(e.Attributes), func(a, b engage.Attribute) int { return strings.Compare(a.Key, b.Key) })
	var others []string // a contact's fields come from all exports together
	for _, o := range s.Configured {
		if len(o.Fields) > 0 {
			others = append(others, o.RowSettings())
		}
	}
	return sha256.Sum256(fmt.Appendf(nil, "%s %q %s %v %v %v %v %q %q", program, form, e.RowSettings(), s.KeepAbsent, s.ClearMissing, s.o.Fields, s.Damping, s.unfit, others))
}

// program names what reads rows: another version may make something else of them.
var program = func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	name := info.Main.Version
	for _, s := range info.Settings {
		if strings.HasPrefix(s.Key, "vcs.") {
			name += " " + s.Value
		}
	}
	return name
}()
