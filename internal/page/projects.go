package page

import (
	"io"
	"time"

	"gleapsync/internal/runs"
)

// Projects is what the page of several projects shows.
type Projects struct {
	Site
	At   time.Time
	Rows []Project
}

// Project is a row about one project.
type Project struct {
	Name    string
	Config  string // the file
	Link    string // to its page, "": it is not served
	Now     Now
	Last    *runs.Report // the last sync, nil: there was none, or nobody knows
	Success time.Time    // when everything was delivered last, zero: never
	Parked  int
	Problem string // what somebody has to look at, "": nothing that is not in Last
}

// Held counts the exports that are held, or of which exits are withheld.
func (p Project) Held() (n int) {
	if p.Last == nil {
		return 0
	}
	for _, e := range p.Last.Exports {
		if e.IsHeld() {
			n++
		}
	}
	return n
}

// Left counts the contacts that the last sync left for the next one.
func (p Project) Left() int {
	if p.Last == nil {
		return 0
	}
	return p.Last.Contacts.Remaining
}

// Overview writes the page of several projects.
func Overview(w io.Writer, p Projects) error { return render(w, p.Site, "projects.html", &p) }
