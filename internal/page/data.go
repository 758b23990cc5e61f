package page

import (
	"errors"
	"slices"
	"strings"
	"time"

	"gleapsync/internal/inspect"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Data is what the front page shows.
type Data struct {
	Site
	At      time.Time           // when it was read
	Now     *Now                // what the process does, nil: it is a report in a file
	State   inspect.Overview    // of the state
	Last    *runs.Report        // the last sync, nil: there was none
	Exports []Export            // without those of events
	Tracks  []runs.ExportReport // exports of events, as the last sync that looked at each left it
	Runs    []runs.Report       // the last ones, the latest first
	Find    string              // exports whose name, key or source has it are shown only
	Show    string              // changed or held: only such exports are shown
	Parked  []inspect.ParkedGroup
	// ParkedEvents are those that Gleap refused.
	ParkedEvents []inspect.ParkedGroup
	// Error says why the state cannot be read. Of the fields above only Site, At and
	// Now are set then.
	Error string
}

// Now is what a process that serves is doing.
type Now struct {
	Running  bool
	Started  time.Time // of the run
	Progress runs.Progress
	Holder   *state.Holder // of the lock, if it is another process that runs
	Rate     float64       // rows or contacts a second in this phase
	Left     time.Duration // of this phase, 0: not known
	Next     time.Time     // when the next run begins, zero while one runs
	Missed   int           // slots that a run in flight made the process skip
	Failed   string        // why the last slot's run could not begin or be recorded
	Config   string        // what is wrong with the configuration as it stands in the file
}

// Export is a line about one attribute.
type Export struct {
	runs.ExportReport           // as the last sync that looked at it left it
	Acknowledged      int       // members in Gleap
	Unfinished        bool      // the last sync did not deliver all that it planned
	DataOf            time.Time // of what was delivered as a whole last
	Sizes             []Size    // over the last syncs, the oldest first
}

// Delivered says what became of the export: its status, unless the run that planned it did
// not come to its end.
func (x Export) Delivered() string {
	if x.Unfinished && x.Status == runs.StatusApplied {
		return "unfinished"
	}
	if x.Withheld > 0 {
		return "withheld"
	}
	return string(x.Status)
}

// Size is how many members an export had in one run.
type Size struct {
	Members int
	Held    bool
}

const (
	showRuns  = 100
	plotRuns  = 40
	maxGroups = 20
)

// Read reads what a page shows from a state.
func Read(v *inspect.View, s Site, now *Now) Data {
	d := Data{Site: s, At: time.Now(), Now: now}
	var errs [5]error
	d.State, errs[0] = v.Overview()
	d.Last, errs[1] = v.LastSync()
	d.Runs, errs[2] = v.LastReports(showRuns)
	parked, err := v.Parked()
	errs[3] = err
	events, err := v.ParkedEvents()
	errs[4] = err
	if err := errors.Join(errs[:]...); err != nil {
		return Data{Site: s, At: d.At, Now: now, Error: err.Error()}
	}
	if d.Last != nil {
		for _, e := range d.Last.Exports {
			if e.Kind == runs.KindTrack {
				d.Tracks = append(d.Tracks, e)
				continue
			}
			if e.Kind == runs.KindKnown && e.IsQuiet() {
				continue
			}
			d.Exports = append(d.Exports, d.export(e))
		}
	}
	groups := inspect.GroupParked(parked)
	d.Parked = groups[:min(len(groups), maxGroups)]
	groups = inspect.GroupParkedEvents(events)
	d.ParkedEvents = groups[:min(len(groups), maxGroups)]
	return d
}

func (d *Data) export(e runs.ExportReport) Export {
	x := Export{ExportReport: e}
	if d.Last != nil {
		x.Unfinished = d.Last.Outcome != runs.Complete && d.Last.Outcome != runs.Held
	}
	for _, a := range d.State.Attributes {
		if a.Key == e.Key {
			x.Acknowledged, x.DataOf = a.Members, a.AsOf
		}
	}
	for _, r := range d.Runs {
		for _, then := range r.Exports {
			if then.Key == e.Key && len(x.Sizes) < plotRuns {
				x.Sizes = append(x.Sizes, Size{then.Members, then.Status == runs.StatusHeld})
			}
		}
	}
	slices.Reverse(x.Sizes)
	return x
}

// Group is exports that are shown together: those of one source.
type Group struct {
	Source  string // "": of several sources, with one attribute each
	Exports []Export
	Open    bool
}

// Count counts the exports of a group that are not quiet.
func (g Group) Count() (n int) {
	for _, x := range g.Exports {
		if !x.IsQuiet() {
			n++
		}
	}
	return n
}

// Held reports whether one of the exports is held, or exits of it withheld.
func (g Group) Held() bool {
	return slices.ContainsFunc(g.Exports, func(x Export) bool { return x.IsHeld() })
}

// Groups returns the exports that were asked for, by their source, in the order of the exports.
func (d *Data) Groups() []Group {
	const few = 20 // that nobody needs to open
	columns := map[string]int{}
	for _, x := range d.Exports {
		columns[x.Source]++
	}
	var groups []Group
	at := map[string]int{}
	for _, x := range d.Exports {
		if !d.isAskedFor(x) {
			continue
		}
		source := x.Source
		if columns[source] == 1 {
			source = ""
		}
		n, ok := at[source]
		if !ok {
			n, at[source] = len(groups), len(groups)
			groups = append(groups, Group{Source: source, Open: len(d.Exports) <= few || d.Find+d.Show != ""})
		}
		groups[n].Exports = append(groups[n].Exports, x)
	}
	return groups
}

func (d *Data) isAskedFor(x Export) bool {
	if d.Show == "held" && !x.IsHeld() || d.Show == "changed" && x.Changes() == 0 {
		return false
	}
	return strings.Contains(strings.ToLower(x.Name+"\n"+x.Key+"\n"+x.Source), strings.ToLower(d.Find))
}

// Recent returns the last n runs.
func (d *Data) Recent(n int) []runs.Report { return d.Runs[:min(len(d.Runs), n)] }

// Before returns the runs before the last n.
func (d *Data) Before(n int) []runs.Report { return d.Runs[min(len(d.Runs), n):] }

// Link returns where a run is shown.
func (d *Data) Link(run string) string {
	if d.Now == nil {
		return "#run-" + run
	}
	return d.Base + "/runs/" + run
}

// Causes returns why exports are held, or exits withheld.
func (d *Data) Causes() []runs.Cause { return runs.Causes(d.Held()) }

// Held returns the exports that are held, or of which exits are withheld.
func (d *Data) Held() []runs.ExportReport {
	var held []runs.ExportReport
	for _, e := range d.Exports {
		held = append(held, e.ExportReport)
	}
	held = append(held, d.Tracks...)
	return slices.DeleteFunc(held, func(e runs.ExportReport) bool { return !e.IsHeld() })
}

// Refresh is after how many seconds a browser should ask again, 0: not at all.
func (d *Data) Refresh() int {
	const running, least = 5, 5
	switch {
	case d.Now == nil:
		return 0
	case d.Now.Running || d.Now.Next.IsZero():
		return running
	}
	return max(least, int(d.Now.Next.Sub(d.At).Seconds())+2)
}
