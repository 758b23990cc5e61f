package sync

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"gleapsync/state"
)

// RunSummary is one run in a line.
type RunSummary struct {
	Run         string        `json:"run"`
	Command     string        `json:"command"`
	Mode        Mode          `json:"mode"`
	Only        []string      `json:"only,omitempty"`
	Started     time.Time     `json:"started"`
	Finished    time.Time     `json:"finished"`
	Outcome     Outcome       `json:"outcome"`
	Contacts    ContactCounts `json:"contacts"`
	Events      EventCounts   `json:"events"`
	Calls       CallCounts    `json:"calls"`
	Classes     []ClassReport `json:"classes,omitempty"`
	Convergence string        `json:"convergence,omitempty"` // see [Report]
}

// summary returns a report in a line.
func (r *Report) summary() RunSummary {
	return RunSummary{r.Run, r.Command, r.Mode, r.Only, r.Started, r.Finished, r.Outcome, r.Contacts, r.Events, r.Calls, r.Classes, r.Convergence}
}

// Runs returns the last n runs, the latest first.
func (i *Inspector) Runs(n int) ([]RunSummary, error) { return readRuns(i.store, n) }

func readRuns(store *state.Store, n int) ([]RunSummary, error) {
	reports, err := store.Runs(n)
	runs := []RunSummary{}
	for _, text := range reports {
		var r RunSummary
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, fmt.Errorf("a run's report cannot be decoded: %w", err)
		}
		runs = append(runs, r)
	}
	return runs, err
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
func (i *Inspector) LastSync() (*Report, error) { return i.lastSync(true) }

// LastWholeSync is LastSync without those syncs that were to look at some exports only.
func (i *Inspector) LastWholeSync() (*Report, error) { return i.lastSync(false) }

func (i *Inspector) lastSync(only bool) (*Report, error) {
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
func (i *Inspector) merge(reports []Report, only bool, known []state.Attribute) (last *Report, complete bool) {
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
func (i *Inspector) Run(id string) (Report, error) {
	text, err := i.store.Run(id)
	if err != nil {
		return Report{}, err
	}
	if len(text) == 0 {
		return Report{}, fmt.Errorf("there is no run %q: %w, see gleapsync inspect runs", id, ErrUnknown)
	}
	return decodeReport(text)
}

// LastReports returns the reports of the last n runs, the latest first.
func (i *Inspector) LastReports(n int) ([]Report, error) {
	texts, err := i.store.Runs(n)
	var reports []Report
	for _, text := range texts {
		r, err := decodeReport(text)
		if err != nil {
			return nil, err
		}
		reports = append(reports, r)
	}
	return reports, err
}

func decodeReport(text json.RawMessage) (Report, error) {
	r := Report{Recorded: true}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("a run's report cannot be decoded: %w", err)
	}
	return r, nil
}
