package console

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gleapsync/internal/attr"
	"gleapsync/internal/human"
	"gleapsync/sync"
)

// longest is how many characters of a value a terminal shows.
const longest = 40

// PlannedContact writes what a contact would be told: a line for each attribute.
func PlannedContact(w Out, p *sync.PlannedContact) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %s\n", human.Printable(string(p.UserID)), p.Class)
	lines := make([][3]string, len(p.Attributes)) // key, change, origin
	var width [2]int
	if len(p.Fields) > 0 {
		width[0] = len("fields")
	}
	for i := range p.Attributes {
		a := &p.Attributes[i]
		lines[i] = [3]string{human.Printable(a.Key), w.change(a), human.Printable(origin(a))}
		for j := range width {
			width[j] = max(width[j], utf8.RuneCountInString(lines[i][j]))
		}
	}
	pad := func(s string, to int) string { return s + strings.Repeat(" ", to-utf8.RuneCountInString(s)) }
	for i, line := range lines {
		row := fmt.Sprintf("  %s %s  %s  %s", mark(&p.Attributes[i]), pad(line[0], width[0]), pad(line[1], width[1]), line[2])
		fmt.Fprintln(&text, strings.TrimRight(row, " "))
	}
	if len(p.Fields) > 0 {
		fmt.Fprintf(&text, "    %s  %s\n", pad("fields", width[0]), strings.Join(p.Fields, ", "))
	}
	_, err := io.WriteString(w, text.String())
	return err
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
		return human.Cut(text, longest)
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
	return fmt.Sprintf("%s:%d", a.Source, a.Line)
}
