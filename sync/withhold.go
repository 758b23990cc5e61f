package sync

import (
	"cmp"
	"fmt"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
)

// Absence counts only where all was read. As long as a row could not be read and nobody
// knows whom it was about, or parts of a snapshot are missing, the exits and clears of the
// export are withheld; entries and changes go.

// absenceFrom is from which run in a row on the reason says how to let withheld exits go: by
// then nobody is about to mend the export.
const absenceFrom = 3

// unproven returns why absences from an export prove nothing, "" if they count.
func (e *export) unproven() string {
	if e.result.Unknown > 0 && !e.IgnoreBroken {
		rows := "1 row of it cannot be read"
		if e.result.Unknown > 1 {
			rows = human.Grouped(e.result.Unknown) + " rows of it cannot be read"
		}
		return fmt.Sprintf("%s, so nobody knows who is missing (%s)", rows, e.result.FirstUnknown)
	}
	return e.missing
}

// withholds decides whether the attribute's exits and clears are withheld in this run.
func (a *attribute) withholds(request Request) string {
	if a.retired || request.accepts(a.Key) {
		return ""
	}
	return a.export.unproven()
}

// acceptedNotes says whose exits go although nobody knows that they left: those are among them
// whom a row means that could not be read.
func (p *plan) acceptedNotes() []string {
	var notes []string
	for _, a := range p.attributes {
		if unproven := a.export.unproven(); a.active() && !a.retired && a.exited > 0 && unproven != "" && p.request.accepts(a.Key) {
			notes = append(notes, fmt.Sprintf("%s: %s. --accept-absence lets all go who are in none that was read, %s, and among them whoever was meant there", a.Key, unproven, human.Count(a.exited, "contact")))
		}
	}
	return notes
}

// withheldReason says what is withheld and why, "" if nothing is.
func (a *attribute) withheldReason() string {
	if a.withheld == 0 {
		return ""
	}
	what, them := cmp.Or(map[engage.Kind]string{engage.Audience: "exit"}[a.Kind], "cleared value"), "it"
	if a.withheld > 1 {
		what, them = what+"s", "them"
	}
	reason := fmt.Sprintf("%s %s withheld: %s; the first run that has all of it lets %s go", human.Grouped(a.withheld), what, a.absence, them)
	if a.applied.WithheldRuns+1 >= absenceFrom {
		reason += fmt.Sprintf("; if they are right, run %s once: whoever is meant where nothing could be read leaves too", runs.AcceptAbsence(a.Key))
	}
	return reason
}

// leaves reports whether a wanted value of the attribute ends a membership or a value.
func (a *attribute) leaves(want attr.Value) bool {
	if a.Kind == engage.Trait {
		return want.Kind() == attr.Null
	}
	return want.Kind() == attr.False
}
