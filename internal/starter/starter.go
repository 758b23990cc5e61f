package starter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gleapsync/internal/config"
	"gleapsync/internal/database"
	"gleapsync/internal/keys"
	"gleapsync/internal/wholefile"
)

// Options say what a configuration is made of.
type Options struct {
	// Place is where the exports are: a folder, which is looked at with those in it, the
	// address of a database, or one in object storage.
	Place   string
	Config  string // path of the file to write, which must not exist
	Project string // "": the name of the configuration's folder
	// Tables are those of a database that are looked at, as schema.name, in which * stands for
	// any characters; none: all.
	Tables []string
	UserID string // the column with the user ids, "": it has one of the usual names
}

// Result says what was written, and what was not.
type Result struct {
	Config  string    `json:"config"`
	Project string    `json:"project"`
	Exports []Export  `json:"exports"`
	Contact []string  `json:"contact"` // keys of [contact] that are suggested
	LeftOut []LeftOut `json:"left_out"`
}

// Export is an export that is in the configuration.
type Export struct {
	Kind   string   `json:"kind"` // audience, trait, table, profiles or changes
	Source string   `json:"source"`
	Keys   []string `json:"keys"` // of its attributes in Gleap
}

// LeftOut is a file, or a column of one, that is in the configuration as a comment.
type LeftOut struct {
	Source string `json:"source"`
	Column string `json:"column,omitempty"`
	Reason string `json:"reason"`
}

// Write writes a configuration for the exports in a folder. It does so as a whole or not
// at all, and replaces no file. A folder in which there is nothing to sync is an error.
func Write(ctx context.Context, o Options) (Result, error) {
	if _, err := os.Lstat(o.Config); err == nil {
		return Result{}, errExists(o.Config)
	}
	path, err := filepath.Abs(o.Config)
	if err != nil {
		return Result{}, fmt.Errorf("the configuration cannot be written: %w", err)
	}
	base := filepath.Dir(path)
	shown, sources, err := look(ctx, o, base)
	if err != nil {
		return Result{}, err
	}
	p := page{Place: shown, Project: cmp.Or(o.Project, projectName(base))}
	r := Result{Config: o.Config, Project: p.Project, Exports: []Export{}, Contact: []string{}, LeftOut: []LeftOut{}}
	for _, s := range sources {
		f, err := read(ctx, s, base)
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		if err != nil {
			r.LeftOut = append(r.LeftOut, LeftOut{Source: s.where(), Reason: reason(s.Path, err)})
			continue
		}
		p.Exports = append(p.Exports, f)
	}
	p.Exports = foldersOfCalls(ctx, sources, base, p.Exports)
	p.NotRead = slices.Clone(r.LeftOut)
	slices.SortStableFunc(p.Exports, compareTables)
	giveKeys(p.Exports)
	p.Contact = suggestContact(p.Exports)
	for _, c := range p.Contact {
		r.Contact = append(r.Contact, c.Key)
	}
	for _, f := range p.Exports {
		if keys := f.keys(); len(keys) > 0 {
			r.Exports = append(r.Exports, Export{f.Kind, f.where(), keys})
		}
		r.LeftOut = append(r.LeftOut, f.leftOut()...)
	}
	if len(r.Exports) == 0 {
		return r, nothing(ctx, o, shown, r.LeftOut)
	}
	text, err := p.render()
	if err != nil {
		return r, err
	}
	return r, publish(path, o.Config, text)
}

// look finds what is in a place, and returns how the place may be shown.
func look(ctx context.Context, o Options, base string) (shown string, sources []source, err error) {
	place := o.Place
	switch {
	case database.IsAddress(place):
		if shown, _, err = database.CutPassword(place); err == nil {
			sources, err = tables(ctx, o)
		}
		return shown, sources, err
	case len(o.Tables) > 0:
		return "", nil, errors.New("--table is for databases: name one such as postgres://user@host/db")
	case isBucket(place):
		sources, err = objects(ctx, place)
		return place, withIDs(sources, o), err
	}
	folder, err := filepath.Abs(place)
	if err != nil {
		return "", nil, fmt.Errorf("the exports cannot be listed: %w", err)
	}
	sources, err = find(folder, base)
	return from(base, folder), withIDs(sources, o), err
}

func withIDs(sources []source, o Options) []source {
	for i := range sources {
		sources[i].UserID = o.UserID
	}
	return sources
}

func errExists(path string) error {
	return fmt.Errorf("%s exists already and is not replaced: move it away, or name another file with --config", path)
}

// reason is err without the name of the file, which stands beside it.
func reason(path string, err error) string {
	text := strings.TrimPrefix(err.Error(), path)
	return strings.TrimLeft(text, ": ")
}

// nothing is the error for a place without anything to sync.
func nothing(ctx context.Context, o Options, place string, leftOut []LeftOut) error {
	errs := []error{fmt.Errorf("there is no export in %s or in the folders in it: audiences, traits and tables are expected as .csv, .tsv, .txt, .ndjson, .jsonl or .json, plain or with .gz or .zst, or as .parquet", place)}
	var seen []string
	if database.IsAddress(place) {
		errs = []error{fmt.Errorf("%s has no table with a row for each user, in a column %s, that its role may read", place, cmp.Or(o.UserID, "user_id"))}
		if !database.HasCatalogue(o.Place) {
			seen = []string{"check catalog and schema, which stand behind the host of the address, and what the user may read"}
		} else if lines, err := unread(ctx, o); err == nil {
			seen = lines
		} else { // the catalogue may be another one
			seen = []string{"check the database's name, and grant USAGE on the schema and SELECT on its tables"}
		}
	}
	for _, l := range leftOut {
		if l.Column == "" && !slices.ContainsFunc(seen, func(line string) bool { return strings.HasPrefix(line, l.Source+": ") }) {
			errs = append(errs, fmt.Errorf("%s: %s", l.Source, l.Reason))
		}
	}
	for _, line := range seen {
		errs = append(errs, errors.New(line))
	}
	return errors.Join(errs...)
}

// projectName makes a project's name of that of the configuration's folder.
func projectName(folder string) string {
	name := filepath.Base(folder)
	if _, err := keys.Of(name); errors.Is(err, keys.ErrNone) || unwritable(name) != nil {
		return "my-project"
	}
	return name
}

// giveKeys gives each attribute its key. Audiences and traits come before tables: their
// files were made for them.
func giveKeys(all []*found) {
	order := []string{"audience", "trait", "table", "profiles", "changes", "track"}
	slices.SortStableFunc(all, func(a, b *found) int {
		return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
	})
	taken := map[string]string{}
	take := func(name, path string) (string, error) {
		key, err := keys.Of(name)
		if err == nil && taken[key] != "" {
			err = fmt.Errorf("the key %s is that of %s", key, taken[key])
		}
		if err == nil {
			taken[key] = path
		}
		return key, err
	}
	for _, f := range all {
		if !f.HasColumns() {
			f.Key, f.KeyErr = take(f.Name, f.where())
		}
		for i := range f.Columns {
			if c := &f.Columns[i]; c.LeftOut == "" {
				_, c.KeyErr = take(c.Name, f.where())
			}
		}
	}
	suggest := func(key, kind, path string) string {
		start := cmp.Or(key, kind)
		if taken[key] == "" && key != "" { // it is one of Gleap's own
			start += "_" + kind
		}
		suggested := start
		for n := 2; taken[suggested] != ""; n++ {
			suggested = fmt.Sprintf("%s_%d", start, n)
		}
		taken[suggested] = path
		return suggested
	}
	for _, f := range all {
		if f.isCopy(taken) {
			continue
		}
		if f.KeyErr != nil {
			f.SuggestedKey = suggest(f.Key, f.Kind, f.where())
		}
		for i := range f.Columns {
			if c := &f.Columns[i]; c.KeyErr != nil {
				list := map[bool]string{true: "audience", false: "trait"}[c.Audience]
				c.LeftOut = fmt.Sprintf("%v: add it to %ss with another key, keys = { %s = %q }", c.KeyErr, list, bare(c.Name), suggest(c.Key, list, f.where()))
			}
		}
	}
}

// isCopy leaves out the columns of a table whose keys are those of another one's, if they are
// several: schemas of one warehouse often have the same table. It is one thing to say.
func (f *found) isCopy(taken map[string]string) bool {
	var same []*column
	other := ""
	for i := range f.Columns {
		if c := &f.Columns[i]; c.KeyErr != nil && f.Table != "" && taken[c.Key] != "" && taken[c.Key] != f.Table {
			same, other = append(same, c), cmp.Or(other, taken[c.Key])
		}
	}
	if len(same) < 2 {
		return false
	}
	f.copyOf = fmt.Sprintf("%s has the same keys: if this is the right table, gleapsync init with --table %s takes it alone", other, f.Table)
	for _, c := range same {
		c.LeftOut = f.copyOf
	}
	return true
}

// Attributes returns the columns of a table that are audiences, or those that are traits.
func (f *found) Attributes(audiences bool) []column {
	return slices.DeleteFunc(slices.Clone(f.Columns), func(c column) bool { return c.LeftOut != "" || c.Audience != audiences })
}

// HasColumns reports whether it may have several audiences and traits.
func (f *found) HasColumns() bool { return f.Kind == "table" || f.Kind == "profiles" || f.isCalls() }

// keys returns those of the attributes that the configuration has of f.
func (f *found) keys() []string {
	if !f.HasColumns() {
		if f.KeyErr != nil {
			return nil
		}
		return []string{f.Key}
	}
	var keys []string
	for _, c := range slices.Concat(f.Attributes(true), f.Attributes(false)) {
		keys = append(keys, c.Key)
	}
	return keys
}

// leftOut returns what is of f in the configuration as a comment only.
func (f *found) leftOut() []LeftOut {
	var all []LeftOut
	switch {
	case f.KeyErr != nil:
		all = append(all, LeftOut{Source: f.where(), Reason: f.KeyErr.Error()})
	case len(f.keys()) == 0:
		all = append(all, LeftOut{Source: f.where(), Reason: f.WhyNot()})
		if f.copyOf != "" {
			return all
		}
	}
	for _, c := range f.Columns {
		if c.LeftOut != "" && c.LeftOut != contactField { // those are in Result.Contact
			all = append(all, LeftOut{f.where(), c.Name, c.LeftOut})
		}
	}
	return all
}

const noColumn = "none of its columns is an audience or a trait"

// suggestContact returns the keys of [contact] for which some export has a column.
func suggestContact(all []*found) []contact {
	var suggested []contact
	for _, field := range contactFields {
		for _, column := range field.columns {
			if slices.ContainsFunc(all, func(f *found) bool { return slices.Contains(f.contact, column) }) {
				suggested = append(suggested, contact{field.key, column})
				break
			}
		}
	}
	return suggested
}

// publish gives the text the path, once it is complete and loads. shown is the path for
// people.
func publish(path, shown string, text []byte) error {
	temporary, err := wholefile.Beside(path, text)
	if err == nil {
		defer os.Remove(temporary)
		if _, err := config.Load(temporary); err != nil {
			return fmt.Errorf("%s is not written, since it would not load: %s", shown, strings.ReplaceAll(err.Error(), temporary, shown))
		}
		err = wholefile.Create(temporary, path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s cannot be written: its folder does not exist", shown)
	case errors.Is(err, fs.ErrExist):
		return errExists(shown)
	case err != nil:
		return fmt.Errorf("%s cannot be written: %w", shown, err)
	}
	return nil
}
