package sync

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Runs returns the last n all, the latest first.
func (i *Inspector) Runs(n int) ([]runs.Summary, error) { return readRuns(i.store, n) }

func readRuns(store *state.Store, n int) ([]runs.Summary, error) {
	reports, err := store.Runs(n)
	all := []runs.Summary{}
	for _, text := range reports {
		var r runs.Summary
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("a run's report cannot be decoded: %w", err)
		}
		all = append(all, r)
	}
	return all, err
}

// Reports returns the reports of the last n runs as they were printed, the latest
// first.
func (i *Inspector) Reports(n int) ([]json.RawMessage, error) { return i.store.Runs(n) }

// EachReport calls yield with what [Inspector.Reports] returns, one by one: the reports of
// many exports are large. The state is read for about size bytes at a time, each time after
// turn, and is closed while yield is at work.
func (i *Inspector) EachReport(n, size int, turn func() error, yield func(json.RawMessage) error) error {
	for last := ""; ; {
		if err := turn(); err != nil {
			return err
		}
		var reports []json.RawMessage
		var err error
		if reports, last, err = i.store.RunsBefore(last, size); err != nil {
			return err
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
func (i *Inspector) LastSync() (*runs.Report, error) { return i.lastSync(true) }

// LastWholeSync is LastSync without those syncs that were to look at some exports only.
func (i *Inspector) LastWholeSync() (*runs.Report, error) { return i.lastSync(false) }

func (i *Inspector) lastSync(only bool) (*runs.Report, error) {
	const few = 8 // mostly the last one has all
	reports, err := i.LastReports(few)
	if err != nil {
		return nil, err
	}
	o, err := i.store.Overview()
	if err != nil {
		return nil, err
	}
	last, complete := i.merge(reports, only, o.Attributes)
	if !complete && len(reports) == few {
		if reports, err = i.LastReports(math.MaxInt); err != nil {
			return nil, err
		}
		last, _ = i.merge(reports, only, o.Attributes)
	}
	return last, nil
}

// merge returns the latest of the syncs among reports, with what the others say of
// exports that it did not look at. It reports whether all exports are in it.
func (i *Inspector) merge(reports []runs.Report, only bool, known []state.Attribute) (last *runs.Report, complete bool) {
	missing := map[string]bool{}
	exports := keepKeys(i.exports, known)
	for _, e := range exports {
		for _, a := range slices.Concat(e.Attributes, remembered(e, exports, known)) {
			missing[a.Key] = true
		}
	}
	for _, t := range i.tracks {
		missing[ledgerName(t.Source)] = true
	}
	for _, r := range reports {
		if r.Command != "sync" || len(r.Only) > 0 && !only {
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
	}
	return last, len(missing) == 0
}

// Run returns one run's report.
func (i *Inspector) Run(id string) (runs.Report, error) {
	text, err := i.store.Run(id)
	if err != nil {
		return runs.Report{}, err
	}
	if len(text) == 0 {
		return runs.Report{}, fmt.Errorf("there is no run %q: %w, see gleapsync inspect runs", id, ErrUnknown)
	}
	return runs.Decode(text)
}

// LastReports returns the reports of the last n all, the latest first.
func (i *Inspector) LastReports(n int) ([]runs.Report, error) {
	texts, err := i.store.Runs(n)
	var reports []runs.Report
	for _, text := range texts {
		r, err := runs.Decode(text)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, err
}
