package console

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"gleapsync/internal/attr"
	"gleapsync/internal/human"
	"gleapsync/sync"
)

// longest is how many characters of a value a terminal shows.
const longest = 40

// Changes shows contacts as they come, each with a line for each attribute.
type Changes struct {
	Out
	Limit int // contacts that are shown, 0: all
	n     int
}

// Add shows a contact, unless those before it are enough.
func (c *Changes) Add(p *sync.PlannedContact) error {
	if c.n++; c.Limit > 0 && c.n > c.Limit {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %s\n", human.Printable(string(p.UserID)), p.Class)
	lines := make([][3]string, len(p.Attributes)) // key, change, source
	var width [2]int
	for i, a := range p.Attributes {
		lines[i] = [3]string{human.Printable(a.Key), c.change(&a), human.Printable(origin(&a))}
		for j := range width {
			width[j] = max(width[j], utf8.RuneCountInString(lines[i][j]))
		}
	}
	if len(p.Fields) > 0 {
		width[0] = max(width[0], len("fields"))
	}
	pad := func(s string, to int) string { return s + strings.Repeat(" ", to-utf8.RuneCountInString(s)) }
	for i, line := range lines {
		row := fmt.Sprintf("  %s %s  %s  %s", mark(&p.Attributes[i]), pad(line[0], width[0]), pad(line[1], width[1]), line[2])
		fmt.Fprintln(&text, strings.TrimRight(row, " "))
	}
	if len(p.Fields) > 0 {
		fmt.Fprintf(&text, "    %s  %s\n", pad("fields", width[0]), strings.Join(p.Fields, ", "))
	}
	_, err := c.Write([]byte(text.String()))
	return err
}

// End says how many more there are, or that there is none.
func (c *Changes) End() error {
	var err error
	switch {
	case c.n == 0:
		_, err = fmt.Fprintln(c, "Nothing to send.")
	case c.Limit > 0 && c.n > c.Limit:
		_, err = fmt.Fprintf(c, "\nand %s: --limit 0 shows all\n", human.Count(c.n-c.Limit, "more contact"))
	}
	return err
}

// change shows what a value becomes.
func (c *Changes) change(a *sync.PlannedAttribute) string {
	if a.Old.Kind() == attr.None || a.Old.Equal(a.New) {
		return c.value(a.New)
	}
	return c.value(a.Old) + " -> " + c.value(a.New)
}

func (c *Changes) value(v attr.Value) string {
	text := human.Printable(string(v.AppendJSON(nil)))
	if c.Width > 0 {
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
