package inputs

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/generation"
	"gleapsync/internal/rowlist"
)

// A database that keeps what an export said compares it by itself: what a list of prints is for a
// file is a generation there, with the same notes. A user who must be in no list has an empty note.

// taken is the generation of a run.
type taken struct {
	*engage.Keeper
	id     string
	totals generation.Totals
	stay   map[string][]byte // the notes of users who do not differ
}

// How many notes a generation may have, and of how many users they may stay: those are in memory at
// one time.
const (
	mostNotes = 1_000_000
	mostStay  = 100_000
)

// mostUnsettled is of how many users rows are asked for by their ids.
const mostUnsettled = 10_000

// take takes a generation and has it compared, if it can be. An error is one of the run: whatever else
// is wrong, all is read.
func (s *snapshot) take(ctx context.Context) error {
	d := &s.delta
	t := &taken{}
	var err error
	isOther := true
	if t.Keeper, err = s.source.Keeper(ctx, s.Attributes, s.owner); err == nil {
		t.id = generation.NewID(s.listOf(t.Form))
		isOther = !generation.IsOf(d.before, t.id)
		if !s.Request.Lists {
			t.id = generation.NewTrialID(s.At)
		}
		d.taken = t
		if t.totals, err = t.Take(ctx, t.id, t.Export); err == nil {
			err = t.Try(ctx, t.id)
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		d.idle = err.Error()
		d.taken = nil
		return nil
	}
	t.Read(t.id, false)
	if t.totals.Several {
		d.idle = "some user has several rows: a query can choose one"
	}
	if isOther || t.totals.Several {
		return nil
	}
	m := s.newMarks()
	err = s.compareTaken(ctx, m)
	switch {
	case err == nil:
		m.take()
		t.Read(t.id, true)
		return nil
	case m.err != nil || ctx.Err() != nil:
		err = errors.Join(m.err, ctx.Err())
	default:
		s.o.Log.Debug("all rows of an export are read", "source", s.Source, "reason", err.Error())
		err = nil
	}
	m.sorter.Close()
	t.stay = nil
	return err
}

// compareTaken finds out who differs.
func (s *snapshot) compareTaken(ctx context.Context, m *marks) error {
	d, t := &s.delta, s.delta.taken
	notes := map[string][]byte{}
	var always []string                    // of whom rows are read in any case
	for _, userID := range s.unsettled() { // in a row or in none
		if err := m.add(userID, nil); err != nil {
			return err
		}
		always = append(always, string(userID))
	}
	err := t.Notes(ctx, d.before, always, func(n generation.Note) error {
		if notes[n.UserID] = n.Text; len(n.Text) == 0 {
			always = append(always, n.UserID)
		}
		if len(notes) > mostStay {
			return errMany
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(always) > mostUnsettled {
		return errMany
	}
	most := s.mostDifferent(t.totals.Rows)
	if d.differ, err = t.Compare(ctx, t.id, d.before, s.Feeds[0].Applied.Rows, t.Export, most); err != nil {
		return err
	}
	if d.differ == most {
		return errMany
	}
	slices.Sort(always)
	if err := t.Add(ctx, t.id, t.Export, slices.Compact(always)); err != nil {
		return err
	}
	err = t.Users(ctx, t.id, func(u generation.User) error {
		text, noted := notes[string(u.ID)]
		delete(notes, string(u.ID))
		switch isOut := noted && len(text) == 0; {
		case isOut && !u.Is: // as if there had been nothing
			return nil
		case isOut || !u.Was:
			return m.add(u.ID, nil)
		}
		return m.add(u.ID, &rowlist.Row{Notes: text})
	})
	if err != nil {
		return err
	}
	for userID, text := range notes {
		var stays rowlist.Notes // of others the record has by now what the rows said
		for n := range rowlist.Notes(text).All() {
			if n.Said == rowlist.Nothing {
				stays = n.Append(stays)
			}
		}
		if notes[userID] = stays; len(stays) == 0 {
			delete(notes, userID)
		}
		m.keep(&rowlist.Row{Notes: stays})
	}
	t.stay = notes
	return nil
}

// count makes what was found of the rows that were read what would have been found of all, and
// reports whether both say the same if all were.
func (t *taken) count(r *engage.Result, all bool) bool {
	if all {
		return r.Rows == t.totals.Rows && r.WithoutUserID == t.totals.WithoutID
	}
	isSame := r.WithoutUserID == 0
	r.Rows, r.WithoutUserID = t.totals.Rows, t.totals.WithoutID
	return isSame
}

// close drops what was taken for a trial.
func (t *taken) close() {
	if generation.IsTrial(t.id) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = t.Drop(ctx, t.id) // else a later run drops it
	}
}

// write completes the generation with the notes of users whose rows were read, and with those that
// stay. failed is an error of the run.
func (t *taken) write(ctx context.Context, rows iter.Seq2[*rowlist.Row, error]) (err, failed error) {
	all := func(yield func(generation.Note, error) bool) {
		count := len(t.stay)
		for row, err := range rows {
			if count++; err == nil && count > mostNotes {
				yield(generation.Note{}, errMany)
				return
			}
			if failed = err; err != nil {
				yield(generation.Note{}, err)
				return
			}
			stays := len(row.Notes) == 0
			for n := range row.Notes.All() {
				stays = stays || n.Said == rowlist.Nothing
			}
			if !yield(generation.Note{UserID: string(row.UserID), Text: row.Notes, Stays: stays}, nil) {
				return
			}
		}
		for userID, text := range t.stay {
			if !yield(generation.Note{UserID: userID, Text: text, Stays: true}, nil) {
				return
			}
		}
	}
	err = t.WriteNotes(ctx, t.id, all)
	return err, failed
}

// removeGenerations has the databases drop what the state does not refer to. What cannot be dropped
// is left for the next time.
func removeGenerations(exports []Export, owner string, keep []string, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	done := map[[2]string]bool{}
	for _, e := range exports {
		place, at := e.Place(owner), [2]string{e.Source, e.Delta}
		if place == nil || done[at] {
			continue
		}
		done[at] = true
		if err := place.Sweep(ctx, time.Now(), keep...); err != nil {
			log.Warn("what a database kept for runs before cannot be dropped, and is left for the next run", "source", e.Source, "reason", err.Error())
		}
	}
}
