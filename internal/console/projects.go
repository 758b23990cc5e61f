package console

import (
	"fmt"
	"strings"

	"gleapsync/internal/human"
	"gleapsync/internal/runs"
)

// Project is how a command ended for one of several projects.
type Project struct {
	Name   string // "": not known
	Config string // its file
	Result string // a word
	Report runs.Report
}

// Columns say what of reports a table of projects shows.
type Columns int

// What a check, a plan and a sync can say.
const (
	OfCheck Columns = iota
	OfPlan
	OfSync
)

// Projects writes a table with a row for each project, and how many ended how.
func Projects(w Out, all []Project, shown Columns) {
	header := []string{"PROJECT", "RESULT", "HELD>"}
	header = append(header, map[Columns][]string{
		OfPlan: {"CONTACTS>", "CALLS>"}, OfSync: {"CONTACTS>", "SENT>", "LEFT>", "PARKED>"},
	}[shown]...)
	t := newRows(append(header, "CONFIGURATION~")...)
	counts, words := map[string]int{}, []string{}
	for _, p := range all {
		if counts[p.Result]++; counts[p.Result] == 1 {
			words = append(words, p.Result)
		}
		name := p.Name
		if name == "" {
			name = human.Dash
		}
		held := 0
		for _, e := range p.Report.Exports {
			if e.IsHeld() {
				held++
			}
		}
		cells := []any{name, p.Result, held}
		c := p.Report.Contacts
		switch shown {
		case OfPlan:
			cells = append(cells, human.Grouped(c.Planned), human.Grouped(p.Report.Calls.All()))
		case OfSync:
			cells = append(cells, human.Grouped(c.Planned), human.Grouped(c.Sent), human.Grouped(c.Remaining), human.Grouped(c.Parked))
		}
		t.add(append(cells, p.Config)...)
	}
	t.write(w)
	for i, word := range words {
		words[i] = human.Grouped(counts[word]) + " " + word
	}
	fmt.Fprintf(w, "\n%s: %s.\n", human.Count(len(all), "project"), strings.Join(words, ", "))
}
