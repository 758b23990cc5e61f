package runs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Cause is why exports are held, or exits of them withheld. A table of a hundred columns that
// is cut off is one cause, not a hundred.
type Cause struct {
	Source   string // of the exports, "" if they have several
	Reason   string // that of the first
	Withheld bool   // only exits are: the rest is applied
	Exports  []ExportReport
}

var number = regexp.MustCompile(`\d+(,\d{3})*`)

// Causes returns the causes, in the order of the exports: those with the same reason are one,
// and so are those of one source whose reasons differ in keys and numbers only, and many whose
// reasons differ in the source as well.
func Causes(exports []ExportReport) []Cause {
	type like struct {
		withheld       bool
		source, reason string
	}
	var all []Cause
	at := map[like]int{}
	for _, e := range exports {
		if !e.IsHeld() {
			continue
		}
		withheld := e.Status != StatusHeld
		own := regexp.MustCompile(`\b` + regexp.QuoteMeta(e.Key) + `\b`)
		same, alike := like{withheld: withheld, reason: e.Reason}, like{withheld, e.Source, number.ReplaceAllString(own.ReplaceAllString(e.Reason, "KEY"), "N")}
		n, ok := at[same]
		if !ok {
			n, ok = at[alike]
		}
		if !ok {
			n = len(all)
			all = append(all, Cause{Source: e.Source, Reason: e.Reason, Withheld: withheld})
		}
		at[same], at[alike] = n, n
		c := &all[n]
		c.Exports = append(c.Exports, e)
		if c.Source != e.Source {
			c.Source = ""
		}
	}
	return fold(all)
}

// fold makes one cause of many of single exports whose reasons differ in keys, sources and numbers
// only: of ten files that are not there, ten lines tell less than one.
func fold(all []Cause) []Cause {
	const many = 4
	like := func(c Cause) string {
		e := c.Exports[0]
		if len(c.Exports) > 1 || e.Source == "" || !strings.Contains(c.Reason, e.Source) {
			return ""
		}
		key := regexp.MustCompile(`\b` + regexp.QuoteMeta(e.Key) + `\b`)
		return fmt.Sprint(c.Withheld, number.ReplaceAllString(key.ReplaceAllString(strings.ReplaceAll(c.Reason, e.Source, "SOURCE"), "KEY"), "N"))
	}
	alike := map[string]int{}
	for _, c := range all {
		alike[like(c)]++
	}
	first := map[string]int{} // where the causes went that are alike
	var folded []Cause
	for _, c := range all {
		kind := like(c)
		if kind == "" || alike[kind] < many {
			folded = append(folded, c)
			continue
		}
		n, ok := first[kind]
		if !ok {
			first[kind] = len(folded)
			folded = append(folded, c)
			continue
		}
		folded[n].Source = ""
		folded[n].Exports = append(folded[n].Exports, c.Exports...)
	}
	return folded
}

// Alike returns exports that a single row can stand for, two at least each: they are held for one
// cause, or nothing changed of them and exits are withheld for one, or rows of the one source that
// they come from cannot be read.
func Alike(exports []ExportReport) []Cause {
	all := Causes(exports)
	at := map[string]int{}
	for _, e := range exports {
		if !e.IsAttribute() || e.IsHeld() || e.IsQuiet() || e.New || e.Retyped > 0 {
			continue
		}
		n, ok := at[e.Source]
		if !ok {
			n, at[e.Source] = len(all), len(all)
			all = append(all, Cause{Source: e.Source})
		}
		all[n].Exports = append(all[n].Exports, e)
	}
	for i := range all {
		all[i].Exports = slices.DeleteFunc(all[i].Exports, func(e ExportReport) bool { return e.Status != StatusHeld && e.Changes() > 0 })
	}
	return slices.DeleteFunc(all, func(c Cause) bool { return len(c.Exports) < 2 })
}

// Number says how many exports there are, and of which source.
func (c Cause) Number() string {
	if c.Source == "" {
		return fmt.Sprintf("%d exports", len(c.Exports))
	}
	return fmt.Sprintf("%d of %s", len(c.Exports), c.Source)
}

// Keys names the exports: the first ones, if they are many.
func (c Cause) Keys() string {
	keys := make([]string, len(c.Exports))
	for i, e := range c.Exports {
		keys[i] = e.Key
	}
	return FirstOf(keys)
}

// String says in a line what is held, and why.
func (c Cause) String() string {
	word, about := "Held", c.Keys()
	if c.Withheld {
		word = "Withheld"
	}
	if len(c.Exports) > 1 {
		about = fmt.Sprintf("%s (%s)", c.Number(), about)
	}
	return word + ": " + about + ": " + c.Why()
}

// Why returns the reason, and whose it is if each export has its own.
func (c Cause) Why() string {
	for _, e := range c.Exports {
		if e.Reason != c.Reason {
			return fmt.Sprintf("of %s: %s; of the others alike", c.Exports[0].Key, c.Reason)
		}
	}
	return c.Reason
}

// Resolve returns the command to run about the cause: that of its exports, and if each has
// another one, the command that shows them.
func (c Cause) Resolve() string {
	command := c.Exports[0].Resolve()
	for _, e := range c.Exports {
		if e.Resolve() != command {
			return "gleapsync inspect runs last --held"
		}
	}
	return command
}

// TriesAgain reports whether the command of [Cause.Resolve] changes nothing.
func (c Cause) TriesAgain() bool { return c.Resolve() == tryAgain }

// FirstOf lists the first of many names.
func FirstOf(names []string) string {
	const most = 3
	if more := len(names) - most; more > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}
