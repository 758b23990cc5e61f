package serve

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// status is what /api/status answers with.
type status struct {
	Project      string              `json:"project"`
	Version      string              `json:"version"`
	Running      *running            `json:"running"`                // null: idle
	Next         time.Time           `json:"next,omitzero"`          // when the next run begins, while idle
	Missed       int                 `json:"missed_slots"`           // by this process, since a run was in flight
	LastError    string              `json:"last_error,omitempty"`   // why the last slot's run could not begin or be recorded
	ConfigError  string              `json:"config_error,omitempty"` // what is wrong with the configuration that was changed
	Resyncing    bool                `json:"resyncing"`
	Parked       int                 `json:"parked"`
	DueEvents    int                 `json:"due_events"`    // that Gleap did not acknowledge yet
	ParkedEvents int                 `json:"parked_events"` // that it refused
	StateBytes   int64               `json:"state_bytes"`
	LastRun      *runs.Summary       `json:"last_run"`
	LastSuccess  *runs.Summary       `json:"last_success"`
	Exports      []runs.ExportReport `json:"exports"` // as the last sync that looked at each left it
}

type running struct {
	Started     time.Time `json:"started"`
	Phase       string    `json:"phase"`
	Done        int       `json:"done"`  // rows while reading, contacts while sending, events behind them
	Total       int       `json:"total"` // 0: not known
	PerSecond   float64   `json:"per_second"`
	SecondsLeft float64   `json:"seconds_left"` // of this phase, 0: not known
	// The process that it is a run of, if that is another one.
	Holder *state.Holder `json:"holder,omitempty"`
}

func (s *site) apiStatus(w http.ResponseWriter, r *http.Request) {
	answer, err := s.status(r.Context())
	s.json(w, answer, err)
}

func (s *site) status(ctx context.Context) (status, error) {
	now := s.now()
	seen := s.look(ctx)
	if seen.err != nil {
		return status{}, seen.err
	}
	o := &seen.overview
	answer := status{
		Project: o.Project, Version: s.version, Next: now.Next, Missed: now.Missed, LastError: human.Commands(now.Failed, s.named), ConfigError: human.Commands(now.Config, s.named),
		Resyncing: o.Resyncing, Parked: o.Parked, DueEvents: o.DueEvents, ParkedEvents: o.ParkedEvents, StateBytes: o.Bytes, LastSuccess: o.History.LastSuccess,
		Exports: []runs.ExportReport{},
	}
	if o.LastRun != nil {
		last := *o.LastRun
		last.Error = human.Commands(last.Error, s.named)
		answer.LastRun = &last
	}
	if now.Running {
		p := now.Progress
		answer.Running = &running{now.Started.UTC(), p.Phase, p.Done, p.Total, now.Rate, now.Left.Seconds(), now.Holder}
	}
	if seen.last != nil {
		answer.Exports = append(answer.Exports, seen.last.Exports...)
		for i := range answer.Exports {
			answer.Exports[i].Reason = human.Commands(answer.Exports[i].Reason, s.named)
		}
	}
	return answer, nil
}

// apiRuns answers with the last reports, the latest first, as they were printed.
func (s *site) apiRuns(w http.ResponseWriter, r *http.Request) {
	limit := 100
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "limit takes a number from 1"})
			return
		}
		limit = n
	}
	separator := "["
	err := s.eachReport(w, r, limit, func(report json.RawMessage) error {
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, separator)
		separator = ","
		if err == nil {
			_, err = w.Write(report)
		}
		return err
	})
	switch {
	case err != nil && separator == "[":
		s.json(w, nil, err)
	case err != nil:
		panic(http.ErrAbortHandler) // else what was sent would be taken for all
	case separator == "[":
		s.json(w, []json.RawMessage{}, nil)
	default:
		_, _ = io.WriteString(w, "]\n")
	}
}

// eachReport reads reports piece by piece, and gives the client its time for each piece.
func (s *site) eachReport(w http.ResponseWriter, r *http.Request, limit int, yield func(json.RawMessage) error) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	turn := func() error {
		err := s.reader.pace.Wait(r.Context())
		s.extend(w)
		return err
	}
	return v.EachReport(limit, s.limits.piece, turn, yield)
}

func (s *site) apiRun(w http.ResponseWriter, r *http.Request) {
	report, err := s.report(r)
	s.json(w, report, err)
}
