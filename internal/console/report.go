package console

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/sync"
)

// Plan writes what a sync would do, at a rate of so many calls per window.
func Plan(w io.Writer, r sync.Report, rate int, window time.Duration) {
	exports(w, r)
	if r.Contacts.Planned == 0 {
		fmt.Fprintln(w, "Nothing to send.")
	} else {
		fmt.Fprintf(w, "%s to send: %s.\n", count(r.Contacts.Planned, "contact"), classes(r.Contacts))
		pace := "without a limit"
		if rate > 0 {
			pace = fmt.Sprintf("about %s at %s calls in %s", About(time.Duration(r.Estimate)*time.Second), Grouped(rate), About(window))
		}
		fmt.Fprintf(w, "%s to Gleap, %s.\n", count(r.Calls.Identify, "call"), pace)
	}
	remarks(w, r)
}

// Sync writes what a run did.
func Sync(w io.Writer, r sync.Report) {
	exports(w, r)
	took := About(r.Finished.Sub(r.Started))
	switch {
	case r.Contacts.Planned == 0 && (r.Outcome == sync.Failed || r.Outcome == sync.Interrupted):
		fmt.Fprintf(w, "Nothing was sent (%s).\n", took)
	case r.Contacts.Planned == 0 && r.Held():
		fmt.Fprintf(w, "Nothing to send but for what is held (%s).\n", took)
	case r.Contacts.Planned == 0:
		fmt.Fprintf(w, "Nothing to send: Gleap is up to date (%s).\n", took)
	case r.Command == "baseline":
		fmt.Fprintf(w, "%s taken as delivered, nothing sent (%s).\n", count(r.Contacts.Assumed, "contact"), took)
	default:
		fmt.Fprintf(w, "%s of %s sent with %s in %s (%s).\n", Grouped(r.Contacts.Sent), count(r.Contacts.Planned, "contact"), count(r.Calls.Identify, "call"), took, classes(r.Contacts))
	}
	if n := r.Calls.Retried; n > 0 {
		fmt.Fprintf(w, "%s repeated, %s by the rate limit.\n", count(n, "attempt"), count(r.Calls.RateLimited, "refusal"))
	}
	if n := r.Contacts.Remaining; n > 0 {
		fmt.Fprintf(w, "%s left for the next run.\n", count(n, "contact"))
	}
	remarks(w, r)
	if r.Error != "" {
		fmt.Fprintf(w, "The run failed: %s\n", Printable(r.Error))
	}
}

func classes(c sync.ContactCounts) string {
	return fmt.Sprintf("%s known, %s new", Grouped(c.Delta), Grouped(c.Backfill))
}

// exports writes a line for each attribute.
func exports(w io.Writer, r sync.Report) {
	t := newRows("KEY", "KIND", "MEMBERS>", "ENTERED>", "EXITED>", "CHANGED>", "INVALID>", "NO ID>", "STATUS")
	for _, e := range r.Exports {
		entered, changed := Grouped(e.Entered), dash
		if e.Kind == engage.Trait {
			entered, changed = dash, Grouped(e.Changed)
		}
		t.add(e.Key, e.Kind, Grouped(e.Members), entered, Grouped(e.Exited), changed, Grouped(e.Invalid), Grouped(e.WithoutUserID), e.Status)
	}
	t.write(w)
	fmt.Fprintln(w)
}

// remarks writes what somebody should look at.
func remarks(w io.Writer, r sync.Report) {
	for _, e := range r.Exports {
		if e.Status == sync.StatusHeld {
			fmt.Fprintf(w, "Held: %s: %s\n", Printable(e.Key), Printable(e.Reason))
		}
	}
	for _, e := range r.Exports {
		if e.New {
			fmt.Fprintf(w, "New: %s: this %s came with the changes of %s.\n", Printable(e.Key), e.Kind, Printable(e.Source))
		}
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
	for _, o := range r.Orphans {
		fmt.Fprintf(w, "No export feeds %s any more, and %s: put it back, or run gleapsync retire %s.\n",
			Printable(o.Key), have(o.Members), Printable(o.Key))
	}
	if n := r.Contacts.Forgotten; n > 0 {
		fmt.Fprintf(w, "%s passed over: forgotten on request.\n", count(n, "contact"))
	}
	if n := r.Contacts.Parked; n > 0 {
		fmt.Fprintf(w, "%s parked: Gleap refused the call, see gleapsync inspect parked.\n", count(n, "contact"))
	}
}

func have(members int) string {
	if members == 1 {
		return "1 contact in Gleap has it"
	}
	return Grouped(members) + " contacts in Gleap have it"
}
