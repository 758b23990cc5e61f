package console

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"gleapsync/internal/attr"
	"gleapsync/internal/human"
	"gleapsync/internal/runs"
	"gleapsync/sync"
)

// Leaving writes how many would leave what is held, by key, and of what nobody can tell it.
func Leaving(w Out, report runs.Report, exits map[string]int) error {
	var told, untold []string
	for _, c := range runs.Causes(report.Exports) {
		unknown := runs.Cause{Source: c.Source, Reason: c.Reason}
		for _, e := range c.Exports {
			if n, ok := exits[e.Key]; ok {
				told = append(told, e.Key+" "+human.Grouped(n))
			} else {
				unknown.Exports = append(unknown.Exports, e)
			}
		}
		if len(unknown.Exports) > 0 {
			untold = append(untold, unknown.Keys()+": nobody can tell: "+unknown.Why())
		}
	}
	if len(told) > 0 {
		untold = append([]string{"Would leave: " + strings.Join(told, ", ")}, untold...)
	}
	for _, line := range untold {
		if _, err := io.WriteString(w, human.Printable(line)+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// Known writes what the log says of a report where it is shown: why exports are held, as far as some
// key of theirs is asked for, and the notes.
func Known(w Out, report runs.Report, of func(key string) bool) {
	for _, c := range runs.Causes(report.Exports) {
		if slices.ContainsFunc(c.Exports, func(e runs.ExportReport) bool { return of(e.Key) }) {
			fmt.Fprintln(w, human.Printable(w.commands(c.String())))
		}
	}
	for _, note := range report.Notes {
		fmt.Fprintf(w, "Note: %s.\n", human.Printable(note))
	}
}

// longest is how many characters of a value a terminal shows.
const longest = 40

// PlannedContact writes what a contact would be told: a line for each attribute.
func PlannedContact(w Out, p *sync.PlannedContact) error {
	lines := make([][3]string, len(p.Attributes)) // key, change, origin
	var widths [2]int
	if len(p.Fields) > 0 {
		widths[0] = len("fields")
	}
	for i := range p.Attributes {
		a := &p.Attributes[i]
		lines[i] = [3]string{human.Printable(a.Key), w.change(a), human.Printable(origin(a))}
		for j := range widths {
			widths[j] = max(widths[j], width(lines[i][j]))
		}
	}
	text := make([]byte, 0, 128*(2+len(lines)))
	text = append(append(text, human.Printable(string(p.UserID))...), "  "+p.Class.String()+"\n"...)
	for i, line := range lines {
		text = append(text, "  "+mark(&p.Attributes[i])+" "...)
		text = append(appendPadded(text, line[0], widths[0]), "  "...)
		text = append(appendPadded(text, line[1], widths[1]), "  "+line[2]...)
		text = append(bytes.TrimRight(text, " "), '\n')
	}
	if len(p.Fields) > 0 {
		text = append(appendPadded(append(text, "    "...), "fields", widths[0]), "  "+strings.Join(p.Fields, ", ")+"\n"...)
	}
	_, err := w.Write(text)
	return err
}

// appendPadded appends a text with so many blanks behind it that it has so many columns.
func appendPadded(dst []byte, text string, columns int) []byte {
	dst = append(dst, text...)
	for range columns - width(text) {
		dst = append(dst, ' ')
	}
	return dst
}

// change shows what a value becomes.
func (w Out) change(a *sync.PlannedAttribute) string {
	if a.Old.Kind() == attr.None || a.Old.Equal(a.New) {
		return w.value(a.New)
	}
	return w.value(a.Old) + " -> " + w.value(a.New)
}

func (w Out) value(v attr.Value) string {
	text := human.Printable(string(v.AppendJSON(nil)))
	if w.Width > 0 {
		return cut(text, longest)
	}
	return text
}

// mark says at a glance what happens: + is new to the contact, - goes, ~ changes, and = is sent
// again.
func mark(a *sync.PlannedAttribute) string {
	switch kind := a.New.Kind(); {
	case a.New.Equal(a.Old):
		return "="
	case a.Old.Kind() == attr.None:
		return "+"
	case kind == attr.Null, kind == attr.False && a.Old.Kind() == attr.True:
		return "-"
	}
	return "~"
}

// origin says where a value comes from.
func origin(a *sync.PlannedAttribute) string {
	if a.Line == 0 {
		return a.Source
	}
	return a.Source + ":" + strconv.Itoa(a.Line)
}
