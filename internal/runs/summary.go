package runs

import "time"

// Summary is one run in a line.
type Summary struct {
	Run         string        `json:"run"`
	Command     string        `json:"command"`
	Mode        Mode          `json:"mode"`
	Only        []string      `json:"only,omitempty"`
	Started     time.Time     `json:"started"`
	Finished    time.Time     `json:"finished"`
	Outcome     Outcome       `json:"outcome"`
	Error       string        `json:"error,omitempty"` // why it failed
	Contacts    ContactCounts `json:"contacts"`
	Events      EventCounts   `json:"events"`
	Calls       CallCounts    `json:"calls"`
	Classes     []ClassReport `json:"classes,omitempty"`
	Convergence string        `json:"convergence,omitempty"` // see [Report]
	Deletions   *Deletions    `json:"deletions,omitempty"`
	Touched     *Touched      `json:"touched,omitempty"`
}

// Summary returns a report in a line.
func (r *Report) Summary() Summary {
	return Summary{r.Run, r.Command, r.Mode, r.Only, r.Started, r.Finished, r.Outcome, r.Error, r.Contacts, r.Events, r.Calls, r.Classes, r.Convergence, r.Deletions, r.Touched}
}

// IsWhole is [Report.IsWhole].
func (s Summary) IsWhole() bool {
	return s.Command == "sync" && len(s.Only) == 0 && s.Outcome != Lost
}

// LeftParked reports whether contacts or events were parked when the run ended, by it or before, so
// that it delivered everything but these.
func (s Summary) LeftParked() bool { return s.Contacts.Parked+s.Events.Parked > 0 }
