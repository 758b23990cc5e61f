package console

import (
	"fmt"
	"time"

	"gleapsync/internal/human"
	"gleapsync/internal/replica"
)

// replicaOf writes where a state lives beside its file.
func replicaOf(w Out, s replica.Status) {
	name := human.Printable(s.Address)
	switch {
	case s.Problem != "":
		fmt.Fprintf(w, "Replica   %s cannot be used: %s\n", name, human.Printable(s.Problem))
	case s.Last == nil:
		fmt.Fprintf(w, "Replica   %s has no state yet: the next sync brings it there\n", name)
	default:
		fmt.Fprintf(w, "Replica   %s has snapshot %s of %s, %s ago, %s bytes%s\n", name, human.Printable(s.Last.ID), w.time(s.Last.At), human.About(time.Since(s.Last.At)), human.Grouped(int(s.Last.Bytes)), standing(s.Here))
	}
	if s.Slice {
		fmt.Fprintln(w, "          a run goes on, or was cut: Gleap may have more than the snapshot")
	}
	if h := s.Holder; h != nil {
		fmt.Fprintf(w, "          held by %s since %s, process %d on %s\n", human.Printable(h.Command), w.time(h.Since), h.PID, human.Printable(h.Host))
	}
	for _, f := range s.Former {
		fmt.Fprintf(w, "          kept: snapshot %s of %s, left by %s\n", human.Printable(f.ID), w.time(f.At), human.Printable(f.Command))
	}
}

// standing says what became of the state here, where something did.
func standing(here string) string {
	switch here {
	case "none":
		return "; it was brought here just now"
	case "older":
		return "; what was here was older, and was brought up to date just now"
	case "newer":
		return "; what is here is newer, and goes there with the next command that writes"
	}
	return ""
}
