package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
)

// Shown says which exports of a report are shown. Its zero value is what a person wants to see:
// on a terminal those of which something changed or is held, in a file or a pipe all, and none
// if there is nothing to say.
type Shown struct {
	All  bool
	Held bool   // only those that are held, or of which exits are withheld
	Sort string // one of the orders, or "": as the configuration has them
}

// The orders of tables.
const (
	SortKey     = "key"
	SortChanged = "changed" // the most first
	SortMembers = "members" // the most first
)

// compare orders two attributes.
func (s Shown) compare(a, b runs.ExportReport) int {
	switch s.Sort {
	case SortKey:
		return strings.Compare(a.Key, b.Key)
	case SortChanged:
		return cmp.Compare(b.Changes(), a.Changes())
	case SortMembers:
		return cmp.Compare(b.InGleap(), a.InGleap())
	}
	return 0
}

// choose returns the exports to show, and those that the row of one
// stands for too: by its key.
func (s Shown) choose(w Out, all []runs.ExportReport) (chosen []runs.ExportReport, as map[string]runs.Cause) {
	as = map[string]runs.Cause{}
	chosen = slices.Clone(all)
	switch {
	case s.Held:
		chosen = slices.DeleteFunc(chosen, func(e runs.ExportReport) bool { return !e.IsHeld() })
	case s.All:
	case !slices.ContainsFunc(all, func(e runs.ExportReport) bool { return !e.IsQuiet() }):
		return nil, as
	case w.Width > 0:
		hidden := map[string]bool{}
		for _, c := range runs.Alike(all) {
			as[c.Exports[0].Key] = c
			for _, e := range c.Exports[1:] {
				hidden[e.Key] = true
			}
		}
		chosen = slices.DeleteFunc(chosen, func(e runs.ExportReport) bool { return hidden[e.Key] || e.IsQuiet() })
	}
	slices.SortStableFunc(chosen, s.compare)
	return chosen, as
}

// exports writes a line for each attribute that is to be shown, and for each export of events,
// and how many there are in all.
func exports(w Out, r runs.Report, shown Shown) {
	chosen, as := shown.choose(w, r.Exports)
	tracks := newRows("EVENTS FROM~", "NEW>", "REPEATED>", "OTHER NAMES>", "INVALID>", "NO ID>", "STATUS")
	t := newRows("KEY~", "KIND?", "TYPE?", "MEMBERS>", "ENTERED>", "EXITED>", "CHANGED>", "INVALID>", "NO ID>", "STATUS")
	for _, e := range chosen {
		if e.Kind == runs.KindTrack {
			tracks.add(e.Name, human.Grouped(e.Events), human.Grouped(e.Repeated), human.Grouped(e.Unnamed), human.Grouped(e.Invalid), human.Grouped(e.WithoutUserID), e.Status)
			continue
		}
		if e.Kind == runs.KindKnown { // what is wrong with it the remarks say
			continue
		}
		if c, ok := as[e.Key]; ok {
			status := string(e.Status)
			if c.Withheld {
				status = "exits withheld"
			}
			t.add(c.Number(), human.Dash, human.Dash, human.Dash, human.Dash, human.Dash, human.Dash, human.Grouped(e.Invalid), human.Grouped(e.WithoutUserID), status)
			continue
		}
		entered, changed := human.Grouped(e.Entered), human.Dash
		if e.Kind == engage.Trait {
			entered, changed = human.Dash, human.Grouped(e.Changed)
		}
		status := string(e.Status)
		if e.Withheld > 0 {
			status = human.Grouped(e.Withheld) + " withheld"
		}
		t.add(e.Key, e.Kind, cmp.Or(string(e.Type), human.Dash), human.Grouped(e.InGleap()), entered, human.Grouped(e.Exited), changed, human.Grouped(e.Invalid), human.Grouped(e.WithoutUserID), status)
	}
	t.write(w)
	if len(t.cells) > 0 && len(tracks.cells) > 0 {
		fmt.Fprintln(w)
	}
	tracks.write(w)
	if len(t.cells)+len(tracks.cells) > 0 {
		fmt.Fprintln(w)
	}
	if len(t.cells) > 0 || shown.Held {
		fmt.Fprintln(w, totals(r.Exports, shown, len(t.cells)))
	}
}

// totals says how many attributes there are, what changed of them, and how many have no row.
func totals(all []runs.ExportReport, shown Shown, rows int) string {
	var sum runs.ExportReport
	n, changed, held, withheld := 0, 0, 0, 0
	for _, e := range all {
		switch {
		case !e.IsAttribute():
			continue
		case e.Status == runs.StatusHeld:
			held++
		case e.Changes() > 0:
			changed++
			sum.Entered, sum.Exited, sum.Changed = sum.Entered+e.Entered, sum.Exited+e.Exited, sum.Changed+e.Changed
		}
		if n++; e.Withheld > 0 {
			withheld++
		}
	}
	line := fmt.Sprintf("%s: %s changed", human.Count(n, "attribute"), human.Grouped(changed))
	if changed > 0 {
		line += fmt.Sprintf(" (%s entered, %s exited, %s)", human.Grouped(sum.Entered), human.Grouped(sum.Exited), human.Count(sum.Changed, "value"))
	}
	line += fmt.Sprintf(", %s held", human.Grouped(held))
	if withheld > 0 {
		line += fmt.Sprintf(", %s with exits withheld", human.Grouped(withheld))
	}
	if rows < n && !shown.All && !shown.Held {
		line += "; --all shows every one"
	}
	return line + "."
}
