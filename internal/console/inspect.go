package console

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/human"
	"gleapsync/internal/inspect"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Summary writes what the state holds.
func Summary(w Out, s inspect.Summary) {
	fmt.Fprintf(w, "Project   %s\n", human.Printable(s.Project))
	if s.Created.IsZero() {
		fmt.Fprintf(w, "State     %s does not exist yet: the first sync creates it\n", human.Printable(s.State))
		lastRun(w, s)
		return
	}
	fmt.Fprintf(w, "State     %s, %s bytes, since %s\n", human.Printable(s.State), human.Grouped(int(s.Bytes)), w.time(s.Created))
	if s.Replica != nil {
		replicaOf(w, *s.Replica)
	}
	fmt.Fprintf(w, "Holds     %s, %s, %s parked\n", human.Count(s.Contacts, "contact"), human.Count(s.Attributes, "attribute"), human.Grouped(s.Parked))
	if s.DueEvents+s.ParkedEvents > 0 {
		fmt.Fprintf(w, "          %s due, %s parked\n", human.Count(s.DueEvents, "event"), human.Grouped(s.ParkedEvents))
	}
	if s.Forgotten > 0 {
		fmt.Fprintf(w, "          %s forgotten on request%s\n", human.Count(s.Forgotten, "contact"), stillInGleap(s.Deletions))
	}
	if s.Resyncing {
		fmt.Fprintln(w, "          a full sync is not complete yet: the next run goes on with it")
	}
	if h := s.Running; h != nil {
		fmt.Fprintf(w, "Running   %s since %s, process %d on %s: %s\n", h.Running.Command, w.time(h.Running.Started), h.PID, human.Printable(h.Host), progressOf(h.Running, time.Now()))
	}
	lastRun(w, s)
	var held []string
	if n := s.Held.Exports; n > 0 {
		held = append(held, human.Count(n, "export"))
	}
	if h := s.Held; h.Of > 0 {
		held = append(held, fmt.Sprintf("%s withheld in %s", human.Count(h.Withheld, "exit"), human.Grouped(h.Of)))
	}
	if len(held) > 0 {
		w.say("Held      %s by the last sync: gleapsync inspect runs last --held says why\n", strings.Join(held, ", "))
	}
	for _, note := range s.Notes {
		fmt.Fprintf(w, "Note      %s\n", human.Printable(note))
	}
}

// lastRun says how the last run ended.
func lastRun(w Out, s inspect.Summary) {
	last := s.LastRun
	if last == nil {
		return
	}
	fmt.Fprintf(w, "Last run  %s, %s, ", w.time(last.Started), last.Outcome)
	switch {
	case last.Outcome == runs.Lost: // what it planned nobody knows
		fmt.Fprintf(w, "%s sent when it was heard of last, %s\n", human.Count(last.Contacts.Sent, "contact"), w.time(last.Finished))
	default:
		fmt.Fprintf(w, "%s sent of %s", human.Grouped(last.Contacts.Sent), human.Grouped(last.Contacts.Planned))
		if e := last.Events; e.Planned > 0 {
			fmt.Fprintf(w, ", and %s of %s", human.Grouped(e.Sent), human.Count(e.Planned, "event"))
		}
		fmt.Fprintln(w)
	}
	if last.Error != "" {
		fmt.Fprintf(w, "          it failed: %s\n", human.Printable(last.Error))
	}
	if last.Outcome != runs.Complete && s.LastSuccess != nil {
		everything := "everything"
		if s.LastSuccess.LeftParked() {
			everything += " but what is parked"
		}
		fmt.Fprintf(w, "          the last one that delivered %s was on %s\n", everything, w.time(s.LastSuccess.Started))
	}
}

// GoesOn writes that a run goes on, and what that means for what was asked.
func GoesOn(w Out, h *state.Holder, means string) {
	fmt.Fprintf(w, "A %s of process %d on %s goes on since %s (%s): %s.\n",
		h.Running.Command, h.PID, human.Printable(h.Host), w.time(h.Running.Started), progressOf(h.Running, time.Now()), means)
}

// progressOf says how far a run is.
func progressOf(r state.Running, now time.Time) string {
	if r.Total > 0 {
		text := fmt.Sprintf("%s, %s of %s", r.Phase, human.Grouped(r.Done), human.Grouped(r.Total))
		if left := r.Left(now); left > 0 {
			text += ", about " + human.About(left) + " left"
		}
		return text
	}
	return fmt.Sprintf("%s, %s so far", r.Phase, human.Grouped(r.Done))
}

// Attributes writes a line for each attribute.
func Attributes(w Out, all []inspect.Attribute) {
	if len(all) == 0 {
		fmt.Fprintln(w, "The state holds no audiences and no traits yet.")
		return
	}
	header := []string{"KEY~", "NAME?", "KIND", "TYPE?", "MEMBERS>", "DATA OF?", "APPLIED"}
	var unfed []runs.Orphan
	for _, a := range all {
		if a.Unfed {
			unfed = append(unfed, runs.Orphan{Key: a.Key, Name: a.Name, Kind: a.Kind, Members: a.Members})
		}
	}
	isHeld := slices.ContainsFunc(all, func(a inspect.Attribute) bool { return a.Held || a.Withheld > 0 })
	if isHeld {
		header = append(header, "LAST SYNC")
	}
	if len(unfed) > 0 {
		header = append(header, "EXPORT")
	}
	t := newRows(header...)
	for _, a := range all {
		cells := []any{a.Key, a.Name, a.Kind, cmp.Or(string(a.Type), human.Dash), human.Grouped(a.Members), w.time(a.AsOf), w.time(a.Applied)}
		if isHeld {
			cells = append(cells, heldWord(a))
		}
		if a.Unfed {
			cells = append(cells, "none")
		}
		t.add(cells...)
	}
	leftOut(w, t.write(w))
	if a := all[0]; len(all) == 1 && a.Reason != "" {
		fmt.Fprintf(w, "The last sync: %s\n", human.Printable(w.commands(a.Reason)))
	} else if isHeld {
		w.say("Why exports are held, or exits withheld: gleapsync inspect runs last --held\n")
	}
	orphans(w, unfed)
}

// heldWord says what the last sync did not believe of an attribute.
func heldWord(a inspect.Attribute) string {
	switch {
	case a.Held:
		return "held"
	case a.Withheld > 0:
		return human.Grouped(a.Withheld) + " withheld"
	}
	return human.Dash
}

// Runs writes a line for each run.
func Runs(w Out, all []runs.Summary) {
	if len(all) == 0 {
		fmt.Fprintln(w, "There was no run yet.")
		return
	}
	t := newRows("RUN", "STARTED?", "COMMAND", "MODE?", "OUTCOME", "PLANNED>", "SENT>", "REMAINING>", "EVENTS>", "TOOK>?")
	for _, r := range all {
		mode, planned, sent, remaining, events := cmp.Or(string(r.Mode), human.Dash), r.Contacts.Planned, r.Contacts.Sent, r.Contacts.Remaining, r.Events.Sent
		if r.Touched != nil {
			mode, planned, events = human.Dash, r.Touched.Contacts, r.Touched.Events
			if d := r.Deletions; d != nil {
				sent, remaining = d.Deleted+d.Absent, d.Owed
			}
		}
		t.add(r.Run, w.time(r.Started), r.Command, mode, r.Outcome, human.Grouped(planned), human.Grouped(sent), human.Grouped(remaining), human.Grouped(events), human.About(r.Finished.Sub(r.Started)))
	}
	leftOut(w, t.write(w))
	failed, reasons := map[string][]string{}, []string{}
	for _, r := range all {
		if r.Error != "" && failed[r.Error] == nil {
			reasons = append(reasons, r.Error)
		}
		failed[r.Error] = append(failed[r.Error], r.Run)
	}
	for _, reason := range reasons {
		fmt.Fprintf(w, "Failed: %s: %s\n", runs.FirstOf(failed[reason]), human.Printable(reason))
	}
}

// Events writes which events are due, by name, and why others are parked, and how many for each
// reason; which ones with ids.
func Events(w Out, d inspect.Events, ids bool) {
	if d.Due == 0 {
		fmt.Fprintln(w, "No event is due.")
	} else {
		t := newRows("EVENT~", "DUE>", "OLDEST", "NEWEST")
		for _, n := range d.Names {
			t.add(n.Name, human.Grouped(n.Due), w.time(n.Oldest), w.time(n.Newest))
		}
		t.write(w)
	}
	if len(d.Parked) == 0 {
		return
	}
	fmt.Fprintln(w)
	if ids {
		t := newRows("PARKED EVENT~", "USER ID~", "DATE", "STATUS>", "LAST?", "REASON~")
		for _, p := range d.Parked {
			t.add(p.Name, p.UserID, w.time(p.Date), p.Status, w.time(p.Last), p.Reason)
		}
		t.write(w)
		return
	}
	t := newRows("PARKED EVENTS>", "STATUS>", "NAMES~", "OLDEST?", "LAST", "REASON")
	for _, g := range inspect.GroupParkedEvents(d.Parked) {
		t.add(human.Grouped(g.N), g.Status, runs.FirstOf(g.Names), w.time(g.First), w.time(g.Last), g.Reason)
	}
	t.write(w)
	w.say("\n%s parked. --ids names their contacts; gleapsync retry tries them again, gleapsync discard --parked drops them.\n", human.Count(len(d.Parked), "event"))
}

// Parked writes why contacts are parked, and how many for each reason; which ones with ids.
func Parked(w Out, parked []inspect.ParkedContact, ids bool) {
	if len(parked) == 0 {
		fmt.Fprintln(w, "No contact is parked.")
		return
	}
	if ids {
		t := newRows("USER ID~", "STATUS>", "ATTEMPTS>", "FIRST?", "LAST?", "REASON")
		for _, p := range parked {
			t.add(p.UserID, p.Status, p.Attempts, w.time(p.First), w.time(p.Last), p.Reason)
		}
		t.write(w)
		return
	}
	t := newRows("CONTACTS>", "STATUS>", "FIRST?", "LAST", "REASON")
	for _, g := range inspect.GroupParked(parked) {
		t.add(human.Grouped(g.N), g.Status, w.time(g.First), w.time(g.Last), g.Reason)
	}
	t.write(w)
	w.say("\n%s parked. --ids names them; gleapsync retry tries them again, once the exports are mended.\n", human.Count(len(parked), "contact"))
}

// Sandbox writes what an embedded sandbox received.
func Sandbox(w io.Writer, s *sandbox.Sandbox) {
	c := s.Counts()
	fmt.Fprintf(w, "\nThe sandbox received %s", human.Count(c.Identify, "Identify Contact call"))
	if c.Track > 0 {
		fmt.Fprintf(w, ", %s with %s,", human.Count(c.Track, "Track Event call"), human.Count(c.Events, "event"))
	}
	fmt.Fprintf(w, " and holds %s", human.Count(c.Contacts, "contact"))
	const show = 20
	n := 0
	for contact := range s.Contacts() {
		if n == 0 {
			fmt.Fprintln(w, ":")
		}
		if n++; n > show {
			fmt.Fprintf(w, "  and %s more\n", human.Grouped(c.Contacts-show))
			return
		}
		all := maps.Clone(contact.Fields)
		maps.Copy(all, contact.Attributes)
		fmt.Fprintf(w, "  %s", human.Printable(contact.UserID))
		for _, key := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(w, "  %s=%s", human.Printable(key), human.Printable(fmt.Sprint(all[key])))
		}
		fmt.Fprintln(w)
	}
	if n == 0 {
		fmt.Fprintln(w, ".")
	}
}

// Verified writes what a state file holds that was found to be sound.
func Verified(w io.Writer, path string, v state.Verification) {
	events := ""
	if v.Events+v.ParkedEvents > 0 {
		events = fmt.Sprintf(", %s due, %s parked", human.Count(v.Events, "event"), human.Grouped(v.ParkedEvents))
	}
	fmt.Fprintf(w, "%s is sound: %s, %s, %s parked, %s%s.\n", human.Printable(path),
		human.Count(v.Contacts, "contact"), human.Count(v.Attributes, "attribute"), human.Grouped(v.Parked), human.Count(v.Runs, "run"), events)
}
