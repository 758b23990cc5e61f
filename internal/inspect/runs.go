package inspect

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// past is what happened: the runs of which the state has reports.
type past struct {
	o     sync.Options
	store *state.Store
}

// texts goes through the reports, the latest first. That of a run that was lost is among them
// before the next run stores it: who looks in between asks for just that.
func (p *past) texts() iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		lost, err := p.lost()
		if err != nil || lost != nil {
			if !yield(lost, err) || err != nil {
				return
			}
		}
		for text, err := range runs.Texts(p.store) {
			if !yield(text, err) {
				return
			}
		}
	}
}

// lost returns the report of a run that was lost, nil if there is none that is not stored.
func (p *past) lost() (json.RawMessage, error) {
	lost, err := runs.FindLost(p.store, p.o.Project)
	if err != nil || lost == nil {
		return nil, err
	}
	return json.Marshal(lost)
}

// all is texts, decoded.
func (p *past) all() iter.Seq2[runs.Report, error] { return runs.Decoded(p.texts()) }

// Runs returns the last n runs, the latest first.
func (p *past) Runs(n int) ([]runs.Summary, error) { return runs.Summarized(p.texts(), n) }

// lastRun returns the last run that made a plan, nil if there was none.
func (p *past) lastRun() (*runs.Summary, error) {
	for r, err := range p.all() {
		if err != nil {
			return nil, err
		}
		if r.Touched == nil {
			last := r.Summary()
			return &last, nil
		}
	}
	return nil, nil
}

// Reports returns the reports of the last n runs as they were printed, the latest
// first.
func (p *past) Reports(n int) ([]json.RawMessage, error) { return first(p.texts(), n) }

// EachReport calls yield with what [View.Reports] returns, one by one: the reports of
// many exports are large. The state is read for about size bytes at a time, each time after
// turn, and is closed while yield is at work.
func (p *past) EachReport(n, size int, turn func() error, yield func(json.RawMessage) error) error {
	lost, err := p.lost()
	if err != nil {
		return err
	}
	for last := ""; ; {
		if err := turn(); err != nil {
			return err
		}
		var reports []json.RawMessage
		if reports, last, err = p.store.Reports(last, size); err != nil {
			return err
		}
		if lost != nil {
			reports, lost = slices.Insert(reports, 0, lost), nil
		}
		for _, report := range reports {
			if err := yield(report); err != nil {
				return err
			}
			if n--; n == 0 {
				return nil
			}
		}
		if last == "" {
			return nil
		}
	}
}

// LastSync returns the report of the last sync, nil if there was none. An export of the
// configuration that it did not look at is in it as the last one left it that did.
func (p *past) LastSync() (*runs.Report, error) {
	return p.lastSync(func(r *runs.Report) bool { return r.Command == "sync" })
}

// LastWholeSync is LastSync without those syncs that were to look at some exports only.
func (p *past) LastWholeSync() (*runs.Report, error) { return p.lastSync((*runs.Report).IsWhole) }

func (p *past) lastSync(counts func(*runs.Report) bool) (last *runs.Report, err error) {
	o, err := p.store.Overview()
	if err != nil {
		return nil, err
	}
	missing := map[string]bool{}
	for _, key := range sync.ReportKeys(p.o, o.Attributes) {
		missing[key] = true
	}
	for r, err := range p.all() {
		if err != nil {
			return nil, err
		}
		if !counts(&r) {
			continue
		}
		exports := r.Exports
		if last == nil {
			last, r.Exports = &r, nil
		}
		for _, e := range exports {
			if missing[e.Key] {
				last.Exports = append(last.Exports, e)
				delete(missing, e.Key)
			}
		}
		if len(missing) == 0 {
			break
		}
	}
	return last, nil
}

// Run returns one run's report, or [state.ErrNotFound].
func (p *past) Run(id string) (runs.Report, error) {
	if lost, err := runs.FindLost(p.store, p.o.Project); err != nil || lost != nil && lost.Run == id {
		return *cmp.Or(lost, &runs.Report{}), err
	}
	text, err := p.store.Report(id)
	if err != nil {
		return runs.Report{}, err
	}
	if len(text) == 0 {
		return runs.Report{}, fmt.Errorf("there is no run %q: %w, see gleapsync inspect runs", id, state.ErrNotFound)
	}
	return runs.Decode(text)
}

// Find returns the report of the run whose id begins so, of the last one that made a plan for
// "last", or [state.ErrNotFound].
func (p *past) Find(id string) (runs.Report, error) {
	if id == "last" {
		last, err := p.lastRun()
		if err != nil {
			return runs.Report{}, err
		}
		if last == nil {
			return runs.Report{}, fmt.Errorf("there was no run yet: %w", state.ErrNotFound)
		}
		return p.Run(last.Run)
	}
	report, err := p.Run(id)
	if id == "" || !errors.Is(err, state.ErrNotFound) {
		return report, err
	}
	var found []string
	if lost, err := runs.FindLost(p.store, p.o.Project); err == nil && lost != nil && strings.HasPrefix(lost.Run, id) {
		report, found = *lost, []string{lost.Run}
	}
	const afterAll = "\xff"
	for last, more := id+afterAll, true; more; {
		texts, next, err := p.store.Reports(last, 1<<20)
		if err != nil {
			return runs.Report{}, err
		}
		more, last = next != "", next
		for _, text := range texts {
			r, err := runs.Decode(text)
			if err != nil {
				return runs.Report{}, err
			}
			if !strings.HasPrefix(r.Run, id) {
				more = false
				break
			}
			report, found = r, append(found, r.Run)
		}
	}
	switch len(found) {
	case 0:
		return runs.Report{}, err
	case 1:
		return report, nil
	}
	return runs.Report{}, fmt.Errorf("%d runs begin with %q: %s", len(found), id, runs.FirstOf(found))
}

// LastReports returns the reports of the last n runs, the latest first.
func (p *past) LastReports(n int) ([]runs.Report, error) { return first(p.all(), n) }

// first returns the first n of all.
func first[T any](all iter.Seq2[T, error], n int) (some []T, err error) {
	for one, err := range all {
		if err != nil {
			return nil, err
		}
		if len(some) == n {
			break
		}
		some = append(some, one)
	}
	return some, nil
}
