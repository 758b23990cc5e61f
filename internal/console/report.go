package console

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
)

// Plan writes what a sync would do, at a rate of so many calls per window.
func Plan(w Out, r runs.Report, shown Shown, rate int, window time.Duration) {
	exports(w, r, shown)
	if r.Contacts.Planned > 0 {
		fmt.Fprintf(w, "%s to send: %s.\n", human.Count(r.Contacts.Planned, "contact"), classes(r.Contacts))
	}
	if r.Events.Planned > 0 {
		fmt.Fprintf(w, "%s to send, in %s.\n", human.Count(r.Events.Planned, "event"), human.Count(r.Calls.Track, "request"))
	}
	if calls := r.Calls.All(); calls == 0 {
		fmt.Fprintln(w, "Nothing to send.")
	} else {
		pace := "without a limit"
		if rate > 0 {
			pace = fmt.Sprintf("about %s at %s calls in %s", human.About(time.Duration(r.Estimate)*time.Second), human.Grouped(rate), human.About(window))
		}
		fmt.Fprintf(w, "%s to Gleap, %s.\n", human.Count(calls, "call"), pace)
	}
	if line := r.KeptMembers(); line != "" {
		fmt.Fprintf(w, "Note: %s.\n", human.Printable(line))
	}
	remarks(w, r)
}

// Sync writes what a run did.
func Sync(w Out, r runs.Report, shown Shown) {
	exports(w, r, shown)
	took := human.About(r.Finished.Sub(r.Started))
	nothing := r.Contacts.Planned == 0 && r.Events.Planned == 0
	switch {
	case r.Touched != nil:
		touched(w, r)
		r.Deletions = nil // it is told
	case r.Outcome == runs.Lost:
		fmt.Fprintf(w, "%s had been sent with %s when it was heard of last.\n", human.Count(r.Contacts.Sent, "contact"), human.Count(r.Calls.Identify, "call"))
	case nothing && (r.Outcome == runs.Failed || r.Outcome == runs.Interrupted):
		fmt.Fprintf(w, "Nothing was sent (%s).\n", took)
	case nothing && r.Held():
		fmt.Fprintf(w, "Nothing to send except what is held (%s).\n", took)
	case nothing && r.Summary().LeftParked():
		fmt.Fprintf(w, "Nothing to send except what is parked (%s).\n", took)
	case nothing:
		fmt.Fprintf(w, "Nothing to send: Gleap is up to date (%s).\n", took)
	case r.Command == "baseline":
		fmt.Fprintf(w, "%s taken as delivered, nothing sent (%s).\n", human.Count(r.Contacts.Assumed, "contact"), took)
	case r.Contacts.Planned > 0:
		fmt.Fprintf(w, "%s of %s sent with %s in %s (%s).\n", human.Grouped(r.Contacts.Sent), human.Count(r.Contacts.Planned, "contact"), human.Count(r.Calls.Identify, "call"), took, classes(r.Contacts))
	}
	if n := eventsIn(r); r.Command == "baseline" && n > 0 {
		fmt.Fprintf(w, "%s taken as told, none sent.\n", human.Count(n, "event"))
	}
	if r.Events.Planned > 0 {
		fmt.Fprintf(w, "%s of %s sent with %s in %s.\n", human.Grouped(r.Events.Sent), human.Count(r.Events.Planned, "event"), human.Count(r.Calls.Track, "request"), took)
	}
	if n := r.Calls.Retried; n > 0 {
		fmt.Fprintf(w, "%s repeated, %s by the rate limit.\n", human.Count(n, "attempt"), human.Count(r.Calls.RateLimited, "refusal"))
	}
	some(w, r.Contacts.Remaining, "contact", "left for the next run.")
	for _, c := range r.Classes {
		if c.Left > 0 {
			since := ""
			if c.Since != "" {
				since = ", some in each run since " + c.Since
			}
			fmt.Fprintf(w, "  %s: %s of %s left%s.\n", c.Class, human.Grouped(c.Left), human.Grouped(c.Planned), since)
		}
	}
	some(w, r.Events.Remaining, "event", "left for the next run.")
	remarks(w, r)
	if r.Error != "" {
		fmt.Fprintf(w, "The run failed: %s\n", human.Printable(r.Error))
	}
}

func classes(c runs.ContactCounts) string {
	planned := ""
	if c.Sent < c.Planned && c.Sent > 0 {
		planned = "of all: "
	}
	return fmt.Sprintf("%s%s with changes, %s with first deliveries only", planned, human.Grouped(c.Delta), human.Grouped(c.Backfill))
}

// remarks writes what somebody should look at.
func remarks(w Out, r runs.Report) {
	for _, cause := range runs.Causes(r.Exports) {
		fmt.Fprintln(w, human.Printable(w.commands(cause.String())))
	}
	if r.Convergence != "" {
		fmt.Fprintf(w, "The sync %s. Raise sync.deadline, or set min_interval or tolerance for a trait that costs much.\n", human.Printable(r.Convergence))
	}
	for _, e := range r.Exports {
		if e.Damped > 0 {
			own := "make no call of their own"
			if e.Damped == 1 {
				own = "makes no call of its own"
			}
			fmt.Fprintf(w, "Damped: %s of %s %s: min_interval, tolerance.\n", human.Count(e.Damped, "change"), human.Printable(e.Key), own)
		}
	}
	for _, e := range r.Exports {
		if e.Mended > 0 {
			fmt.Fprintf(w, "Audit: %s: of %s the snapshot says something else than the changes of %s did, and it counts.\n",
				human.Printable(e.Key), human.Count(e.Mended, "contact"), human.Printable(e.Source))
		}
	}
	added, origins := map[string][]string{}, []runs.ExportReport{}
	for _, e := range r.Exports {
		if e.New {
			if added[e.Source+string(e.Kind)] == nil {
				origins = append(origins, e)
			}
			added[e.Source+string(e.Kind)] = append(added[e.Source+string(e.Kind)], e.Key)
		}
	}
	for _, e := range origins {
		keys, what := added[e.Source+string(e.Kind)], fmt.Sprintf("this %s", e.Kind)
		if len(keys) > 1 {
			what = fmt.Sprintf("these %ss", e.Kind)
		}
		fmt.Fprintf(w, "New: %s: %s came with the changes of %s.\n", human.Printable(runs.FirstOf(keys)), what, human.Printable(e.Source))
	}
	for _, e := range r.Exports {
		if e.Retyped > 0 {
			fmt.Fprintf(w, "Types: %s has %s in Gleap that are no %s, and is sent again there. To leave them as they are, set its type in the configuration.\n",
				human.Printable(e.Key), human.Count(e.Retyped, "value"), e.Type)
		}
	}
	from := map[string]bool{}
	for _, e := range r.Exports {
		if e.Note != "" {
			fmt.Fprintf(w, "Note: %s.\n", human.Printable(e.Note))
		}
		if from[e.Source] {
			continue
		}
		from[e.Source] = len(e.PassedOver) > 0
		for _, class := range slices.Sorted(maps.Keys(e.PassedOver)) {
			fmt.Fprintf(w, "Passed over: %s of the class %q of %s.\n", human.Count(e.PassedOver[class], "row"), human.Printable(class), human.Printable(e.Source))
		}
	}
	for _, table := range r.Empty {
		fmt.Fprintf(w, "Empty: %s has no rows, so nothing of it is sent.\n", human.Printable(table))
	}
	for _, note := range slices.Concat(r.Notes, r.Unused) {
		fmt.Fprintf(w, "Note: %s.\n", human.Printable(note))
	}
	shown := map[engage.Problem]bool{}
	for _, e := range r.Exports {
		for _, p := range e.Problems {
			if !shown[p] {
				fmt.Fprintf(w, "Invalid row: %s\n", human.Printable(p.String()))
			}
			shown[p] = true
		}
	}
	for _, field := range slices.Sorted(maps.Keys(r.LeftOut)) {
		fmt.Fprintf(w, "Left out: %s of %s: Gleap would refuse the value.\n", field, human.Count(r.LeftOut[field], "contact"))
	}
	for _, column := range r.FieldsMissing {
		fmt.Fprintf(w, "Missing: no export has %s, which [contact] names: its field is sent to nobody.\n", human.Printable(column))
	}
	for _, field := range slices.Sorted(maps.Keys(r.FieldsDiffer)) {
		fmt.Fprintf(w, "Differs: several exports have another %s for %s: that of the first in the configuration counts.\n", field, human.Count(r.FieldsDiffer[field], "contact"))
	}
	for _, e := range r.Exports {
		if e.LeftOut > 0 {
			fmt.Fprintf(w, "Left out: %s of the events of %s: an event has %d at most, and those of keys only if they are set.\n", properties(e.LeftOut), human.Printable(e.Name), gleap.MaxData)
		}
		if e.Unnamed > 0 && e.Events+e.Repeated+e.Early+e.Forgotten+e.WithoutUserID+e.Invalid == 0 {
			fmt.Fprintf(w, "No call of %s has one of the names in events: are they right? %s passed over.\n", human.Printable(e.Name), human.Count(e.Unnamed, "call"))
		}
		some(w, e.Early, "event", "of "+human.Printable(e.Name)+" not sent: from before the time that since names.")
		some(w, e.Forgotten, "event", "of "+human.Printable(e.Name)+" passed over: their contacts are forgotten on request.")
	}
	orphans(w, r.Orphans)
	if d := r.Deletions; d != nil {
		fmt.Fprintf(w, "Forgotten contacts: %s deleted in Gleap, %s not there%s.\n", human.Grouped(d.Deleted), human.Grouped(d.Absent), stillInGleap(d.Owed))
	}
	some(w, r.Contacts.Forgotten, "contact", "passed over: forgotten on request.")
	some(w, r.Contacts.Unknown, "contact", unknown(r))
	some(w, r.Contacts.Parked, "contact", "parked: Gleap refused the call, see gleapsync inspect parked.")
	some(w, r.Events.Parked, "event", "parked: Gleap refused the request, see gleapsync inspect events.")
}

// unknown says why contacts are left out that have no record.
func unknown(r runs.Report) string {
	if slices.ContainsFunc(r.Exports, func(e runs.ExportReport) bool { return e.Kind == runs.KindKnown && e.IsHeld() }) {
		return "left out: nobody new is created who is in no list of known contacts that can be used."
	}
	return "left out: not in the list of known contacts."
}

// orphans names the attributes that no export feeds any more: in a line each if they are few.
func orphans(w Out, all []runs.Orphan) {
	const few = 3
	if len(all) > few {
		var keys []string
		for _, o := range all {
			keys = append(keys, o.Key)
		}
		w.say("No export feeds %s any more, and contacts in Gleap have them: if one was renamed, keep key = \"its old key\" with the new name (in tables keys = { \"NEW NAME\" = \"its old key\" }); else put them back, or run gleapsync retire with each.\n", human.Printable(runs.FirstOf(keys)))
		return
	}
	for _, o := range all {
		key := human.Printable(o.Key)
		w.say("No export feeds %s any more, and %s: if it was renamed, keep key = %q with the new name (in tables keys = { \"NEW NAME\" = %q }); else put it back, or run gleapsync retire %s.\n",
			key, have(o.Members), key, key, key)
	}
}

// some writes how many there are of what a noun names, if any, and what is said of them.
func some(w Out, n int, noun, said string) {
	if n > 0 {
		w.say("%s %s\n", human.Count(n, noun), said)
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
	return human.Grouped(n) + " properties"
}

func have(members int) string {
	if members == 1 {
		return "1 contact in Gleap has it"
	}
	return human.Grouped(members) + " contacts in Gleap have it"
}
