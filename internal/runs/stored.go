package runs

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"time"

	"gleapsync/state"
)

// Decode reads a report that a state has.
func Decode(text json.RawMessage) (Report, error) {
	r := Report{Recorded: true}
	return r, decode(text, &r)
}

func decode(text json.RawMessage, r any) error {
	if err := json.Unmarshal(text, r); err != nil {
		return fmt.Errorf("a run's report cannot be decoded: %w", err)
	}
	return nil
}

// Texts goes through the reports that a state has, the latest first. They are read some at a
// time: those of many exports are large, and mostly the first one is enough.
func Texts(store *state.Store) iter.Seq2[json.RawMessage, error] {
	const size = 256 << 10
	return func(yield func(json.RawMessage, error) bool) {
		for last := ""; ; {
			var texts []json.RawMessage
			var err error
			if texts, last, err = store.Reports(last, size); err != nil {
				yield(nil, err)
				return
			}
			for _, text := range texts {
				if !yield(text, nil) {
					return
				}
			}
			if last == "" {
				return
			}
		}
	}
}

// Stored is [Texts], decoded.
func Stored(store *state.Store) iter.Seq2[Report, error] { return Decoded(Texts(store)) }

// Decoded decodes reports as they come.
func Decoded(texts iter.Seq2[json.RawMessage, error]) iter.Seq2[Report, error] {
	return func(yield func(Report, error) bool) {
		for text, err := range texts {
			var r Report
			if err == nil {
				r, err = Decode(text)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Summaries returns the last n runs of a state, the latest first.
func Summaries(store *state.Store, n int) ([]Summary, error) { return Summarized(Texts(store), n) }

// Summarized returns the first n of some reports in a line each.
func Summarized(texts iter.Seq2[json.RawMessage, error], n int) ([]Summary, error) {
	all := []Summary{}
	for text, err := range texts {
		if err != nil {
			return nil, err
		}
		if len(all) == n {
			break
		}
		var s Summary
		if err := decode(text, &s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// LastWhole returns the report of the last sync that was to look at all exports, nil if there
// was none.
func LastWhole(store *state.Store) (*Report, error) {
	for r, err := range Stored(store) {
		if err != nil {
			return nil, err
		}
		if r.IsWhole() {
			return &r, nil
		}
	}
	return nil, nil
}

// HistoryOf returns the history of a state. For a file of a version that kept none, it is
// that of the reports in it.
func HistoryOf(store *state.Store, o state.Overview) (History, error) {
	var h History
	if o.History != nil {
		if err := json.Unmarshal(o.History, &h); err != nil {
			return h, fmt.Errorf("the history of the runs cannot be decoded: %w", err)
		}
		h.doubt(time.Now())
		return h, nil
	}
	all, err := Summaries(store, math.MaxInt)
	for i := range all {
		h.Add(all[len(all)-1-i])
	}
	h.doubt(time.Now())
	return h, err
}
