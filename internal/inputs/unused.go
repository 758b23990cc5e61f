package inputs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/human"
	"gleapsync/internal/keys"
)

// Unused names what is in the exports that were read and in nobody's configuration, and what
// to write there: a line for each source, and for each folder. Somebody made it in Engage, and may
// wait for it in Gleap.
// tracks are exports of which this is not asked, and whose files are read too.
func (c *catalog) Unused(tracks []*engage.Export) (notes []string) {
	if !c.LooksAtAll() {
		return nil
	}
	add := func(note string) {
		if note != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	for _, e := range c.All {
		add(c.unusedColumns(e))
		add(c.unusedComputations(e))
	}
	all := c.allExports(tracks)
	asked := map[string]bool{"": true}
	for _, e := range c.All {
		around := e.Around()
		if asked[around] || e.source == nil || e.refused != nil || e.Result.Rows == 0 {
			continue
		}
		asked[around] = true
		files := e.Beside(all)
		if len(files) == 0 {
			continue
		}
		them := "it"
		if len(files) > 1 {
			them = "them"
		}
		notes = append(notes, fmt.Sprintf("not read: %s beside %s, %s: take the lines that gleapsync init %s --config new.toml writes for %s, or move %s elsewhere",
			count(files, "file"), e.Source, listed(files), human.Argument(filepath.Dir(files[0])), them, them))
	}
	return notes
}

// unusedColumns is about an export that is read as a table. Others may read the same one.
func (c *catalog) unusedColumns(e *Input) string {
	isColumn := func(a engage.Attribute) bool { return a.Column != "" && a.Column == a.Name }
	if e.source == nil || e.refused != nil || len(e.Wildcards) == 0 && !slices.ContainsFunc(e.Attributes, isColumn) {
		return ""
	}
	columns, noun, entry := e.source.Columns(), "column", "table"
	if e.NamesInRows() {
		columns, noun, entry = e.Result.OtherNames, "name", "profiles"
	}
	for _, other := range c.All {
		if other.Source == e.Source && other.Dir == e.Dir && other.Table == e.Table && other.Query == e.Query && slices.Equal(other.Command, e.Command) {
			columns = other.Unused(columns)
		}
	}
	columns = slices.DeleteFunc(slices.Clone(columns), func(column string) bool { return c.feeds("", column) })
	if len(columns) == 0 {
		return ""
	}
	return fmt.Sprintf("not used: %s of %s: add %s to audiences or traits of its [[%s]], or to its exclude", count(columns, noun), e.Origin(), listed(columns), entry)
}

func (c *catalog) unusedComputations(e *Input) string {
	var names, to []string
	for _, kind := range []engage.Kind{engage.Audience, engage.Trait} {
		var some []string
		for _, named := range e.unused {
			if named.Kind == kind && !c.feeds(kind, named.Name) {
				some = append(some, named.Name)
			}
		}
		if len(some) > 0 {
			names = append(names, some...)
			to = append(to, fmt.Sprintf("%s to %ss", listed(some), kind))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("not used: %s in the changes of %s: add %s of its [[changes]], or to its exclude", count(names, "computation"), e.Source, strings.Join(to, " and "))
}

// feeds reports whether some export has an attribute of the key that a name makes.
func (c *catalog) feeds(kind engage.Kind, name string) bool {
	key, _ := keys.Of(name)
	return slices.ContainsFunc(c.Fed, func(a *Attribute) bool {
		return !a.Retired && (a.Key == key || a.Name == name && (kind == "" || a.Kind == kind))
	})
}

// allExports returns all whose files are read, and these.
func (c *catalog) allExports(tracks []*engage.Export) (all []*engage.Export) {
	for i := range c.Configured {
		all = append(all, &c.Configured[i].Export)
	}
	for i := range c.o.Known {
		all = append(all, &c.o.Known[i].Export)
	}
	return append(all, tracks...)
}

// listed quotes names as a list in the configuration has them. Of many the middle is left out.
func listed(names []string) string {
	const most, first = 8, 6
	var all []string
	for i, name := range names {
		switch {
		case len(names) <= most || i < first || i == len(names)-1:
			all = append(all, strconv.Quote(name))
		case i == first:
			all = append(all, "…")
		}
	}
	return strings.Join(all, ", ")
}

func count(names []string, noun string) string {
	if len(names) != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", len(names), noun)
}
