package console

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/runs"
)

// Plan writes what a sync would do, at a rate of so many calls per window.
func Plan(w io.Writer, r runs.Report, rate int, window time.Duration) {
	exports(w, r)
	if r.Contacts.Planned > 0 {
		fmt.Fprintf(w, "%s to send: %s.\n", count(r.Contacts.Planned, "contact"), classes(r.Contacts))
	}
	if r.Events.Planned > 0 {
		fmt.Fprintf(w, "%s to send, in %s.\n", count(r.Events.Planned, "event"), count(r.Calls.Track, "request"))
	}
	if calls := r.Calls.All(); calls == 0 {
		fmt.Fprintln(w, "Nothing to send.")
	} else {
		pace := "without a limit"
		if rate > 0 {
			pace = fmt.Sprintf("about %s at %s calls in %s", About(time.Duration(r.Estimate)*time.Second), Grouped(rate), About(window))
		}
		fmt.Fprintf(w, "%s to Gleap, %s.\n", count(calls, "call"), pace)
	}
	remarks(w, r)
}

// Sync writes what a run did.
func Sync(w io.Writer, r runs.Report) {
	exports(w, r)
	took := About(r.Finished.Sub(r.Started))
	nothing := r.Contacts.Planned == 0 && r.Events.Planned == 0
	switch {
	case nothing && (r.Outcome == runs.Failed || r.Outcome == runs.Interrupted):
		fmt.Fprintf(w, "Nothing was sent (%s).\n", took)
	case nothing && r.Held():
		fmt.Fprintf(w, "Nothing to send except what is held (%s).\n", took)
	case nothing:
		fmt.Fprintf(w, "Nothing to send: Gleap is up to date (%s).\n", took)
	case r.Command == "baseline":
		fmt.Fprintf(w, "%s taken as delivered, nothing sent (%s).\n", count(r.Contacts.Assumed, "contact"), took)
	case r.Contacts.Planned > 0:
		fmt.Fprintf(w, "%s of %s sent with %s in %s (%s).\n", Grouped(r.Contacts.Sent), count(r.Contacts.Planned, "contact"), count(r.Calls.Identify, "call"), took, classes(r.Contacts))
	}
	if n := eventsIn(r); r.Command == "baseline" && n > 0 {
		fmt.Fprintf(w, "%s taken as told, none sent.\n", count(n, "event"))
	}
	if r.Events.Planned > 0 {
		fmt.Fprintf(w, "%s of %s sent with %s in %s.\n", Grouped(r.Events.Sent), count(r.Events.Planned, "event"), count(r.Calls.Track, "request"), took)
	}
	if n := r.Calls.Retried; n > 0 {
		fmt.Fprintf(w, "%s repeated, %s by the rate limit.\n", count(n, "attempt"), count(r.Calls.RateLimited, "refusal"))
	}
	if n := r.Contacts.Remaining; n > 0 {
		fmt.Fprintf(w, "%s left for the next run.\n", count(n, "contact"))
	}
	for _, c := range r.Classes {
		if c.Left > 0 {
			fmt.Fprintf(w, "  %s: %s of %s left%s.\n", c.Class, Grouped(c.Left), Grouped(c.Planned), since(c))
		}
	}
	if n := r.Events.Remaining; n > 0 {
		fmt.Fprintf(w, "%s left for the next run.\n", count(n, "event"))
	}
	remarks(w, r)
	if r.Error != "" {
		fmt.Fprintf(w, "The run failed: %s\n", Printable(r.Error))
	}
}

func classes(c runs.ContactCounts) string {
	return fmt.Sprintf("%s with changes, %s with first deliveries only", Grouped(c.Delta), Grouped(c.Backfill))
}

func since(c runs.ClassReport) string {
	if c.Since == "" {
		return ""
	}
	return ", some in each run since " + c.Since
}

// exports writes a line for each attribute, and for each export of events.
func exports(w io.Writer, r runs.Report) {
	tracks := newRows("EVENTS FROM", "NEW>", "REPEATED>", "OTHER NAMES>", "INVALID>", "NO ID>", "STATUS")
	t := newRows("KEY", "KIND", "TYPE", "MEMBERS>", "ENTERED>", "EXITED>", "CHANGED>", "INVALID>", "NO ID>", "STATUS")
	for _, e := range r.Exports {
		if e.Kind == runs.KindTrack {
			tracks.add(e.Name, Grouped(e.Events), Grouped(e.Repeated), Grouped(e.Unnamed), Grouped(e.Invalid), Grouped(e.WithoutUserID), e.Status)
			continue
		}
		entered, changed := Grouped(e.Entered), dash
		if e.Kind == engage.Trait {
			entered, changed = dash, Grouped(e.Changed)
		}
		status := string(e.Status)
		if e.Withheld > 0 {
			status = fmt.Sprintf("%s, %s withheld", status, Grouped(e.Withheld))
		}
		t.add(e.Key, e.Kind, cmp.Or(string(e.Type), dash), Grouped(e.Members), entered, Grouped(e.Exited), changed, Grouped(e.Invalid), Grouped(e.WithoutUserID), status)
	}
	t.write(w)
	if t.n > 0 && tracks.n > 0 {
		fmt.Fprintln(w)
	}
	tracks.write(w)
	fmt.Fprintln(w)
}

// remarks writes what somebody should look at.
func remarks(w io.Writer, r runs.Report) {
	for _, e := range r.Exports {
		if e.Status == runs.StatusHeld {
			fmt.Fprintf(w, "Held: %s: %s\n", Printable(e.Key), Printable(e.Reason))
		} else if e.Withheld > 0 {
			fmt.Fprintf(w, "Withheld: %s: %s\n", Printable(e.Key), Printable(e.Reason))
		}
	}
	if r.Convergence != "" {
		fmt.Fprintf(w, "The sync %s. Raise sync.deadline, or set min_interval or tolerance for a trait that costs much.\n", Printable(r.Convergence))
	}
	for _, e := range r.Exports {
		if e.Damped > 0 {
			fmt.Fprintf(w, "Damped: %s of %s make no call of their own: min_interval, tolerance.\n", count(e.Damped, "change"), Printable(e.Key))
		}
	}
	for _, e := range r.Exports {
		if e.New {
			fmt.Fprintf(w, "New: %s: this %s came with the changes of %s.\n", Printable(e.Key), e.Kind, Printable(e.Source))
		}
	}
	for _, e := range r.Exports {
		if e.Retyped > 0 {
			fmt.Fprintf(w, "Types: %s has %s in Gleap that are no %s, and is sent again there. To leave them as they are, set its type in the configuration.\n",
				Printable(e.Key), count(e.Retyped, "value"), e.Type)
		}
	}
	from := map[string]bool{}
	for _, e := range r.Exports {
		if e.Note != "" {
			fmt.Fprintf(w, "Note: %s.\n", Printable(e.Note))
		}
		if from[e.Source] {
			continue
		}
		from[e.Source] = len(e.PassedOver) > 0
		for _, class := range slices.Sorted(maps.Keys(e.PassedOver)) {
			fmt.Fprintf(w, "Passed over: %s of the class %q of %s.\n", count(e.PassedOver[class], "row"), Printable(class), Printable(e.Source))
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "Note: %s.\n", Printable(note))
	}
	shown := map[engage.Problem]bool{}
	for _, e := range r.Exports {
		for _, p := range e.Problems {
			if !shown[p] {
				fmt.Fprintf(w, "Invalid row: %s\n", Printable(p.String()))
			}
			shown[p] = true
		}
	}
	for _, field := range slices.Sorted(maps.Keys(r.LeftOut)) {
		fmt.Fprintf(w, "Left out: %s of %s: Gleap would refuse the value.\n", field, count(r.LeftOut[field], "contact"))
	}
	for _, column := range r.FieldsMissing {
		fmt.Fprintf(w, "Missing: no export has %s, which [contact] names: its field is sent to nobody.\n", Printable(column))
	}
	for _, field := range slices.Sorted(maps.Keys(r.FieldsDiffer)) {
		fmt.Fprintf(w, "Differs: several exports have another %s for %s: that of the first in the configuration counts.\n", field, count(r.FieldsDiffer[field], "contact"))
	}
	for _, e := range r.Exports {
		if e.LeftOut > 0 {
			fmt.Fprintf(w, "Left out: %s of the events of %s: an event has %d at most, and those of keys only if they are set.\n", properties(e.LeftOut), Printable(e.Name), gleap.MaxData)
		}
		if e.Unnamed > 0 && e.Events+e.Repeated+e.Early+e.Forgotten+e.WithoutUserID+e.Invalid == 0 {
			fmt.Fprintf(w, "No call of %s has one of the names in events: are they right? %s passed over.\n", Printable(e.Name), count(e.Unnamed, "call"))
		}
		if e.Early > 0 {
			fmt.Fprintf(w, "%s of %s not sent: from before the time that since names.\n", count(e.Early, "event"), Printable(e.Name))
		}
		if e.Forgotten > 0 {
			fmt.Fprintf(w, "%s of %s passed over: their contacts are forgotten on request.\n", count(e.Forgotten, "event"), Printable(e.Name))
		}
	}
	for _, o := range r.Orphans {
		fmt.Fprintf(w, "No export feeds %s any more, and %s: put it back, or run gleapsync retire %s.\n",
			Printable(o.Key), have(o.Members), Printable(o.Key))
	}
	if d := r.Deletions; d != nil {
		fmt.Fprintf(w, "Forgotten contacts: %s deleted in Gleap, %s not there%s.\n", Grouped(d.Deleted), Grouped(d.Absent), stillInGleap(d.Owed))
	}
	if n := r.Contacts.Forgotten; n > 0 {
		fmt.Fprintf(w, "%s passed over: forgotten on request.\n", count(n, "contact"))
	}
	if n := r.Contacts.Parked; n > 0 {
		fmt.Fprintf(w, "%s parked: Gleap refused the call, see gleapsync inspect parked.\n", count(n, "contact"))
	}
	if n := r.Events.Parked; n > 0 {
		fmt.Fprintf(w, "%s parked: Gleap refused the request, see gleapsync inspect events.\n", count(n, "event"))
	}
}

// eventsIn returns how many new events the exports have.
func eventsIn(r runs.Report) (n int) {
	for _, e := range r.Exports {
		n += e.Events
	}
	return n
}

func properties(n int) string {
	if n == 1 {
		return "1 property"
	}
	return Grouped(n) + " properties"
}

func have(members int) string {
	if members == 1 {
		return "1 contact in Gleap has it"
	}
	return Grouped(members) + " contacts in Gleap have it"
}
