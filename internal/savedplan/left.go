package savedplan

import (
	"cmp"
	"context"
	"slices"

	"gleapsync/internal/extsort"
	"gleapsync/internal/job"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Left is what is left of a plan.
type Left struct {
	Job         job.Job // with the contacts that are left
	Contacts    runs.ContactCounts
	Calls, News int
	File        planfile.File // the calls
	Said        extsort.Spool // what is to be stored of change exports
}

// Now is what a state says of contacts.
type Now struct {
	Store      *state.Store
	Forgotten  func(userID []byte) bool
	Unanswered func(userID []byte) []state.Change
	Parked     func(userID string) *state.Parked // nil: the contact is not parked
}

// Close removes temporary files.
func (l *Left) Close() {
	l.File.Close()
	l.Said.Close()
}

// Left finds out what is left of the plan. The caller closes it, also after an error.
func (f *File) Left(ctx context.Context, now Now, create extsort.CreateTemp) (*Left, error) {
	l := &Left{Job: f.Job}
	l.Said.Create = create
	l.Job.Attributes, l.Job.Fields = slices.Clone(f.Job.Attributes), slices.Clone(f.Job.Fields)
	part := l.File.Add(f.Job.Before, create)
	unparked := map[string]bool{} // that were parked, and are not any more
	for _, id := range f.Parked {
		if now.Parked(id) == nil && !now.Forgotten([]byte(id)) {
			unparked[id] = true
		}
	}
	told := make([]int, len(f.Job.Keys)) // by attribute id: contacts that are to be told a value
	fields := make([]int, len(f.Job.Fields))
	var batch []*planfile.Entry
	changed, size := 0, 0
	flush := func() error {
		left, n, err := now.left(batch, f.Job.Epoch)
		changed += n
		for _, e := range left {
			l.count(e, told, fields)
			err = cmp.Or(err, part.Write(e))
		}
		batch, size = batch[:0], 0
		return cmp.Or(err, ctx.Err())
	}
	err := f.Each(func(e *planfile.Entry) error {
		delete(unparked, string(e.UserID))
		if now.Forgotten(e.UserID) {
			l.Contacts.Forgotten++
			return nil
		}
		kept := *e
		*e = planfile.Entry{} // its lists would be used again
		const most = 10_000
		if batch, size = append(batch, &kept), size+1+len(kept.Attributes); size < most {
			return nil
		}
		return flush()
	}, func(a state.Absorbed) error {
		if now.Forgotten(a.UserID) {
			return nil
		}
		return l.Said.WriteRow(a.UserID, a.Said)
	})
	if err == nil {
		err = flush()
	}
	switch {
	case err != nil:
		return l, err
	case changed > 0:
		return l, Refuse("contacts of it were told something else since (%d)", changed)
	case len(unparked) > 0:
		return l, Refuse("contacts that were parked are to be tried again (%d)", len(unparked))
	}
	for i := range l.Job.Attributes {
		l.Job.Attributes[i].Left = told[l.Job.Attributes[i].ID]
	}
	for i := range l.Job.Fields {
		l.Job.Fields[i].Left = fields[i]
	}
	return l, nil
}

// left returns what is left of some entries, and how many contacts were told something else than the
// plan knows.
func (n *Now) left(entries []*planfile.Entry, epoch uint64) (left []*planfile.Entry, changed int, err error) {
	ids := make([][]byte, len(entries))
	for i, e := range entries {
		ids[i] = e.UserID
	}
	err = state.RecordsOf(n.Store, ids, func(i int, record *state.Record) {
		e := entries[i]
		known := Known{Record: record, Unanswered: n.Unanswered(e.UserID), Parked: n.Parked(string(e.UserID)), FieldHash: n.Store.FieldHash}
		switch s, told := stand(e, known, epoch); s {
		case isChanged:
			changed++
		case isOpen:
			e.CutTold(told)
			left = append(left, e)
		}
	})
	return left, changed, err
}

// count counts an entry.
func (l *Left) count(e *planfile.Entry, told, fields []int) {
	l.Contacts.Planned++
	if e.Class.IsDelta() {
		l.Contacts.Delta++
	} else {
		l.Contacts.Backfill++
	}
	l.Calls += e.Calls()
	l.News += len(e.News)
	for _, c := range e.Attributes {
		told[c.ID]++
	}
	for _, f := range e.Fields {
		fields[f.Field]++
	}
}
