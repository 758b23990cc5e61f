package sync

import (
	"cmp"
	"fmt"

	"gleapsync/engage"
	"gleapsync/internal/human"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
)

// Absence counts only where all was read. As long as a row could not be read and nobody
// knows whom it was about, or parts of a snapshot are missing, the exits and clears of the
// export are withheld; entries and changes go.

// absenceFrom is from which run in a row on the reason says how to let withheld exits go: by
// then nobody is about to mend the export.
const absenceFrom = 3

// withholds decides whether the attribute's exits and clears are withheld in this run.
func (a *attribute) withholds(request inputs.Request) string {
	if a.Retired || request.Accepts(a.Key) {
		return ""
	}
	return a.Input.Unproven()
}

// acceptedNotes says whose exits go although nobody knows that they left: those are among them
// whom a row means that could not be read.
func (l *attributeList) acceptedNotes(request inputs.Request) []string {
	var notes []string
	for _, a := range l.attributes {
		if unproven := a.Input.Unproven(); a.Active() && !a.Retired && a.exited > 0 && unproven != "" && request.Accepts(a.Key) {
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
	if a.Applied.WithheldRuns+1 >= absenceFrom {
		reason += fmt.Sprintf("; if they are right, run %s once: whoever is meant where nothing could be read leaves too", runs.AcceptAbsence(a.Key))
	}
	return reason
}
