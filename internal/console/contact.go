package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gleapsync/internal/human"
	"gleapsync/internal/inspect"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Contact writes what is known of a contact: of attributes those that say something, or all, and
// the last of what Gleap was told, or all.
func Contact(w Out, c inspect.Contact, all, history bool) {
	fmt.Fprintf(w, "Contact %s\n", human.Printable(c.UserID))
	if c.Forgotten {
		fmt.Fprintf(w, "Forgotten%s: no export brings it back%s.\n", w.on(c.ForgottenAt), owed(c.Owed))
	}
	if p := c.Parked; p != nil {
		fmt.Fprintf(w, "Parked: %s, %s since %s, last %s\n", human.Printable(p.Reason), human.Count(p.Attempts, "attempt"), w.time(p.First), w.time(p.Last))
	}
	fmt.Fprintln(w)
	t := newRows("KEY~", "ACKNOWLEDGED~", "PRESENT EXPORT~", "NEXT RUN", "BY RUN?", "SOURCE?", "SINCE?")
	silent := 0
	for _, key := range c.Keys() {
		if !all && !c.SaysSomething(key) {
			silent++
			continue
		}
		known := human.Dash
		if v, ok := c.Attributes[key]; ok {
			known = string(v.AppendJSON(nil))
		}
		said := c.Said(key)
		if c.Exports[key].Error != "" {
			if said = "not readable"; strings.Contains(c.Exports[key].Error, "does not exist") {
				said = "no export"
			}
		}
		t.add(key, known, said, c.Will[key], cmp.Or(c.Runs[key], human.Dash), cmp.Or(c.From(key), human.Dash), w.time(c.Acknowledged[key]))
	}
	const few = 3 // that are shown whole where the table has no room for all
	if t.over(w.Width) > 0 && len(t.cells) <= few {
		t.blocks(w)
	} else if left := t.write(w); len(left) > 0 {
		fmt.Fprintf(w, "No room for %s: --key KEY shows one whole, and so does a wider terminal.\n", strings.Join(left, ", "))
	}
	if silent > 0 {
		fmt.Fprintf(w, "Not shown: %s of which Gleap was told nothing, and will be told nothing; --all shows them.\n", human.Count(silent, "attribute"))
	}
	contactFields(w, c.FieldStates())
	told(w, c, history)
	for _, e := range c.Events {
		what := "due"
		if e.Reason != "" {
			what = "parked: " + e.Reason
		}
		fmt.Fprintf(w, "\nEvent %s of %s, %s, %s", human.Printable(e.Name), w.time(e.Date), human.Printable(string(e.Data)), human.Printable(what))
	}
	if len(c.Events) > 0 {
		fmt.Fprintln(w)
	}
	for i, why := range c.Waits(all) {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s: %s\n", why.What, runs.FirstOf(why.Keys), human.Printable(why.Reason))
	}
	if c.Next.Error != "" {
		fmt.Fprintf(w, "\nWhat the next run would do nobody can tell: %s\n", human.Printable(c.Next.Error))
	}
}

// contactFields writes what is known of contact fields. Which run sent them only a log can say.
func contactFields(w Out, fields []inspect.FieldState) {
	if len(fields) == 0 {
		return
	}
	exact := slices.ContainsFunc(fields, func(f inspect.FieldState) bool { return f.Exact })
	header := []string{"CONTACT FIELD", "SENT", "NEXT RUN"}
	if exact {
		header = append(header, "BY RUN?")
	}
	fmt.Fprintln(w)
	t := newRows(header...)
	for _, f := range fields {
		sent := human.Dash
		switch {
		case f.Exact:
			sent = "on " + w.time(f.At)
		case f.Sent:
			sent = "not after " + w.time(f.At)
		}
		cells := []any{f.Name, sent, f.Will}
		if exact {
			cells = append(cells, cmp.Or(f.Run, human.Dash))
		}
		t.add(cells...)
	}
	t.write(w)
}

// told writes what Gleap was told of the contact: the last of it, or all.
func told(w Out, c inspect.Contact, all bool) {
	if c.HistoryError != "" {
		fmt.Fprintf(w, "\nWhat Gleap was told when nobody can tell: %s\n", human.Printable(c.HistoryError))
	}
	if len(c.History) == 0 {
		return
	}
	const few = 10
	shown := c.History
	if !all {
		shown = shown[max(0, len(shown)-few):]
	}
	fmt.Fprintln(w)
	t := newRows("TOLD", "KEY~", "BEFORE~", "THEN~", "BY RUN?")
	for _, h := range shown {
		t.add(w.time(h.At), h.Key, cmp.Or(string(h.Was), human.Dash), string(h.Is), h.Run)
	}
	t.write(w)
	if n := len(c.History) - len(shown); n > 0 {
		fmt.Fprintf(w, "Not shown: %s; --history shows them.\n", human.Count(n, "earlier value"))
	}
}

// ForgottenContact writes when a contact was forgotten.
func ForgottenContact(w Out, f inspect.Forgotten) {
	fmt.Fprintf(w, "Contact %s was forgotten%s%s, hash %s.\n", human.Printable(f.UserID), w.on(f.At), owed(f.Owed), f.Hash)
}

// AllForgotten writes a line for each contact that was forgotten.
func AllForgotten(w Out, all []state.ForgottenContact) {
	if len(all) == 0 {
		fmt.Fprintln(w, "No contact was forgotten.")
		return
	}
	t := newRows("FORGOTTEN", "HASH")
	for _, f := range all {
		t.add(w.time(f.At), f.Hash)
	}
	t.write(w)
	w.say("%s forgotten. Their ids are kept nowhere: gleapsync inspect forgotten ID says whether one is among them.\n", human.Count(len(all), "contact"))
}

// on writes when something was, nothing if nobody knows.
func (w Out) on(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " on " + w.time(t)
}

func owed(is bool) string {
	if !is {
		return ""
	}
	return ", and Gleap may still have it: the next sync deletes it"
}
