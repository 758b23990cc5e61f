package starter

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"gleapsync/engage"
	"gleapsync/internal/pattern"
	inputs "gleapsync/internal/source"
)

// source is a file, object or table that may be an export, or several that are one.
type source struct {
	Path  string // or a glob, from the configuration's folder, with forward slashes; or an address
	Table string // of a database, with its schema
	// Identifiers is the other table of profiles, whose traits are in Table.
	Identifiers string
	Pick        engage.Pick
	Name        string // of the file, without date, part number and ending
	UserID      string // the column with the user ids, "": it has one of the usual names
	err         error  // why it cannot be in a configuration

	address string            // of the database, with its password
	columns []string          // of the table
	denied  []string          // columns that the role may not read
	grant   string            // lets it
	types   map[string]string // of its columns
	size    int               // about how many rows it has; 0: nobody knows
}

// find returns the sources in a folder and in the folders in it, from the folder base.
func find(folder, base string) ([]source, error) {
	entries, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no folder %s: name the one with the exports", folder)
	case err != nil:
		return nil, fmt.Errorf("the exports cannot be listed: %w", err)
	}
	all := sourcesIn(folder, base, filesOf(entries))
	for _, e := range entries {
		if !e.IsDir() || isHidden(e.Name()) {
			continue
		}
		inner := filepath.Join(folder, e.Name())
		entries, err := os.ReadDir(inner)
		if err != nil {
			all = append(all, source{Path: from(base, inner), err: errors.New("the folder cannot be listed")})
		}
		all = append(all, sourcesIn(inner, base, filesOf(entries))...)
	}
	slices.SortStableFunc(all, func(a, b source) int { return strings.Compare(a.Path, b.Path) })
	return all, nil
}

func isHidden(name string) bool { return strings.HasPrefix(name, ".") }

// from returns a path as the configuration in the folder base has it.
func from(base, path string) string {
	if isBucket(path) {
		return path
	}
	if rel, err := filepath.Rel(base, path); err == nil {
		path = rel
	}
	return filepath.ToSlash(path)
}

func filesOf(entries []fs.DirEntry) []string {
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// sourcesIn returns what the files of a folder are.
func sourcesIn(folder, base string, names []string) []source {
	var groups []*group
	for _, name := range names {
		if isHidden(name) || !ending().MatchString(name) {
			continue
		}
		l := readLabel(name)
		i := slices.IndexFunc(groups, func(g *group) bool { return g.before == l.before && g.behind == l.behind && g.pick == l.pick })
		if i < 0 {
			groups = append(groups, &group{label: l})
			i = len(groups) - 1
		}
		groups[i].files = append(groups[i].files, name)
	}
	var all []source
	for _, g := range groups {
		s := g.source(names, from(base, folder))
		if s.Name == "" { // as in vip/2026-11-20.csv
			s.Name = filepath.Base(folder)
		}
		if s.err == nil {
			s.err = unwritable(s.Path + s.Name)
		}
		all = append(all, s)
	}
	return all
}

// unwritable returns why a name cannot be in a configuration, nil if it can.
func unwritable(name string) error {
	switch {
	case !utf8.ValidString(name):
		return errors.New("its name is not UTF-8, which a configuration must be: rename it")
	case strings.Contains(name, "${"):
		return errors.New(`its name holds "${", which begins a variable in a configuration: rename it`)
	}
	return nil
}

// label is what a file's name says. The name is before + number + behind.
type label struct {
	before, number, behind string
	name                   string
	pick                   engage.Pick // what the number is: a date, or that of a part
	copyOf                 string      // the file that a browser saved once more
	dated                  bool
}

const date = `(?:(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])` +
	`(?:[-_.T ]?(?:[01]\d|2[0-3])[-_.:h]?[0-5]\d(?:[-_.:m]?[0-5]\d(?:\.\d+)?)?Z?)?` +
	`|1[6-9]\d{8}(?:\d{3})?)` // or seconds or milliseconds since 1970

var (
	ending     = pattern.Of(`(?i)\.(?:(?:csv|tsv|txt|ndjson|jsonl|json)(?:\.(?:gz|zst))?|parquet)$`)
	dateBehind = pattern.Of(`(?s)^(?:(.*?)[-_. ])?(` + date + `)$`)
	dateBefore = pattern.Of(`(?s)^(` + date + `)[-_. ](.+)$`)
	// Parts as people name them, and as BigQuery and Snowflake do.
	part  = pattern.Of(`(?is)^(?:(.*?)[-_. ])?(?:part[-_. ]?(\d+)|(0{5}\d{7})|(\d+_\d_\d))$`)
	again = pattern.Of(`(?s)^(.*) \(\d+\)$`)
)

func readLabel(file string) label {
	end := ending().FindString(file)
	stem := strings.TrimSuffix(file, end)
	if m := again().FindStringSubmatch(stem); m != nil {
		return label{before: file, name: readLabel(m[1] + end).name, copyOf: m[1] + end}
	}
	if m := part().FindStringSubmatch(stem); m != nil {
		number := m[2] + m[3] + m[4]
		return label{
			before: strings.TrimSuffix(stem, number), number: number, behind: end,
			name: m[1], pick: engage.PickAll, dated: dateBehind().MatchString(m[1]) || dateBefore().MatchString(m[1]),
		}
	}
	if m := dateBehind().FindStringSubmatch(stem); m != nil {
		return label{before: strings.TrimSuffix(stem, m[2]), number: m[2], behind: end, name: m[1], pick: engage.PickNewest}
	}
	if m := dateBefore().FindStringSubmatch(stem); m != nil {
		return label{number: m[1], behind: strings.TrimPrefix(file, m[1]), name: m[2], pick: engage.PickNewest}
	}
	return label{before: file, name: stem}
}

// group is the files of a folder whose names differ in their number only.
type group struct {
	label
	files []string
}

// source returns what a configuration says of the group. names are those of all that is
// in the folder.
func (g *group) source(names []string, folder string) source {
	s := source{Pick: g.pick, Name: g.name}
	path := func(file string) string { return strings.TrimPrefix(folder+"/"+file, "./") }
	s.Path = path(g.files[0])
	switch {
	case g.copyOf != "" && slices.Contains(names, g.copyOf):
		s.err = errors.New("it looks like a second download of the same export: keep one of them")
		return s
	case g.dated:
		s.err = errors.New("there are parts with a date: no setting takes all parts of the newest day, so keep the parts of one day in the folder and take the date out of their names")
		return s
	case g.number == "":
		return s
	}
	exact := digit().ReplaceAllString(g.number, "[0-9]")
	for _, number := range []string{"[0-9]*", exact} {
		glob := inputs.EscapePattern(g.before) + number + inputs.EscapePattern(g.behind)
		matches := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			ok, err := filepath.Match(glob, name)
			return !ok || err != nil
		})
		if slices.Equal(matches, g.files) {
			folder = inputs.EscapePattern(folder)
			s.Path = path(glob)
			return s
		}
	}
	s.err = errors.New("no pattern matches these files and no others: give them a folder of their own")
	return s
}

var digit = pattern.Of(`\d`)
