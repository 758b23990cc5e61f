package console

import (
	"fmt"
	"io"

	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/sync"
)

// Forgotten writes what became of contacts that were to be forgotten.
func Forgotten(w io.Writer, f sync.Forgotten) {
	fmt.Fprintf(w, "%s forgotten: %s deleted in Gleap, %s not there%s. No export brings them back.\n",
		human.Count(f.Forgotten, "contact"), human.Grouped(f.Deleted), human.Grouped(f.Absent), stillInGleap(f.Owed))
}

// WouldForget writes what forget would do.
func WouldForget(w io.Writer, f sync.WouldForget) {
	before := ""
	if f.Before > 0 {
		before = fmt.Sprintf(", %s forgotten before", human.Grouped(f.Before))
	}
	fmt.Fprintf(w, "%s would be deleted in Gleap and here: %s known here%s. Nothing was done.\n", human.Count(f.Contacts, "contact"), human.Grouped(f.Known), before)
}

// stillInGleap says how many forgotten contacts Gleap may still have, nothing if none.
func stillInGleap(owed int) string {
	if owed == 0 {
		return ""
	}
	return fmt.Sprintf(", %s may still be in Gleap: the next sync deletes them", human.Grouped(owed))
}

// PlanBaseline writes what a baseline would take as delivered.
func PlanBaseline(w Out, r runs.Report) {
	exports(w, r, Shown{})
	if n := r.Contacts.Planned; n > 0 {
		fmt.Fprintf(w, "%s would be taken as delivered. Nothing was done.\n", human.Count(n, "contact"))
	} else {
		fmt.Fprintln(w, "Nothing would be taken as delivered: Gleap is up to date.")
	}
	remarks(w, r)
}

// touched writes what a command did that makes no plan.
func touched(w io.Writer, r runs.Report) {
	contacts, events := human.Count(r.Touched.Contacts, "contact"), human.Count(r.Touched.Events, "event")
	switch r.Command {
	case "forget":
		d := runs.Deletions{}
		if r.Deletions != nil {
			d = *r.Deletions
		}
		Forgotten(w, sync.Forgotten{Forgotten: r.Touched.Contacts, Deletions: d})
	case "retry":
		fmt.Fprintf(w, "%s and %s were unparked, for the next run to try them again.\n", contacts, events)
	case "resend":
		fmt.Fprintf(w, "%s were to be told all values again by the next run.\n", contacts)
	case "discard":
		fmt.Fprintf(w, "%s discarded.\n", events)
	case "restore":
		fmt.Fprintf(w, "The state was replaced by a backup with %s.\n", contacts)
	default: // of a later version
		fmt.Fprintf(w, "%s and %s.\n", contacts, events)
	}
}
