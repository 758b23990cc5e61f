package engage

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"gleapsync/internal/database"
	"gleapsync/internal/source"
)

// Source is an export whose inputs were found. Nothing of them is open until it is read, and
// a command is not started.
type Source struct {
	tables
	columns []string // of the first input that was read

	traits, ids *Source // of profiles: both long tables; else nil
	kept        string  // the fingerprint of what the database may keep, which nothing else has; "": it keeps nothing
	idsChecked  bool    // what the first ids look like was judged before

	reading *rowReader // nil: nothing is read, or profiles are
}

// UnreadableError says that an export's files are not there or cannot be read, as
// opposed to files whose content is of no use.
type UnreadableError = source.UnreadableError

// Open finds the inputs of e. The error is an [*UnreadableError]: it says why they are
// not there, or why it cannot tell which of them is meant.
func (e Export) Open(ctx context.Context) (*Source, error) {
	if e.ProfileIDs != nil {
		return openProfiles(ctx, e)
	}
	if e.isDatabase() {
		q := e.query()
		// Nobody knows without asking it whether its rows changed.
		inputs := &source.Inputs{All: []source.Input{{Name: q.Name(), Time: time.Now()}}}
		s := &Source{tables: tables{export: e, inputs: inputs, query: q}}
		if e.Delta != "" {
			s.kept = rand.Text()
		}
		return s, nil
	}
	place := e.place()
	place.Command = e.commandSince()
	inputs, err := place.Find(ctx)
	if err != nil {
		return nil, err
	}
	return &Source{tables: tables{export: e, inputs: inputs}}, nil
}

func (e *Export) isDatabase() bool { return len(e.Command) == 0 && database.IsAddress(e.Source) }

// HasOrder reports whether rows come in an order that means something. A database sends them as
// they lie there, which may be another order each time.
func (e *Export) HasOrder() bool { return !e.isDatabase() }

func (e *Export) query() *database.Query {
	return &database.Query{Address: e.Source, Password: e.Password, PasswordFile: e.PasswordFile, Table: e.Table, SQL: e.Query, Timeout: e.Timeout}
}

// Origin is what people call the source: of a database it has the table.
func (e *Export) Origin() string {
	if e.isDatabase() {
		return e.query().Name()
	}
	return e.Source
}

// CheckSource returns what is wrong with the way a source is written. It does not look
// whether there is anything.
func CheckSource(text string) error {
	if database.IsAddress(text) {
		return nil
	}
	return source.Check(text)
}

// File is one of the inputs of a source.
type File struct {
	Name    string
	Version string // of a local file size and time: what was done is known by these
}

// Files returns the inputs.
func (s *Source) Files() []File {
	var files []File
	for _, in := range s.inputs.All {
		files = append(files, File{in.Name, in.Version})
	}
	return files
}

// Skip takes inputs out: Read and ReadChanges pass them over.
func (s *Source) Skip(skip func(File) bool) {
	s.inputs.All = slices.DeleteFunc(s.inputs.All, func(in source.Input) bool { return skip(File{in.Name, in.Version}) })
}

// Settings returns all that the rows of e depend on, as a text to compare. The texts are
// kept in states, within fingerprints: what is not set must not change them, or every
// export would be read again after an upgrade. That is why this is written out.
func (e Export) Settings() string {
	attributes := make([]string, len(e.Attributes))
	for i, a := range e.Attributes {
		attributes[i] = fmt.Sprintf("engage.Attribute{Kind:%#v, Key:%#v, Name:%#v, Column:%#v, Type:%#v}", a.Kind, a.Key, a.Name, a.Column, a.Type)
	}
	list := "[]engage.Attribute(nil)"
	if e.Attributes != nil {
		list = "[]engage.Attribute{" + strings.Join(attributes, ", ") + "}"
	}
	text := fmt.Sprintf("engage.Export{Source:%#v, Dir:%#v, Pick:%#v, Format:%#v, TempDir:\"\", Delimiter:%#v, UserID:%#v, Identifiers:%#v, Attributes:%s, "+
		"Wildcards:%#v, Exclude:%#v, Fields:%#v, Query:%#v, Table:%#v, Password:%#v, PasswordFile:%#v, Command:%#v, Secrets:%#v, "+
		"Log:(func(string))(nil), Timeout:%d, Changes:%#v, Discover:%#v, Columns:%#v}",
		e.Source, e.Dir, e.Pick, e.Format, e.Delimiter, e.UserID, e.Identifiers, list,
		e.Wildcards, e.Exclude, e.Fields, e.Query, e.Table, e.Password, e.PasswordFile, e.Command, e.Secrets,
		e.Timeout, e.Changes, e.Discover, e.Columns)
	if len(e.Keys)+len(e.Types) > 0 {
		text += fmt.Sprintf(" %q %q", e.Keys, e.Types)
	}
	if e.Cursor != "" {
		text += fmt.Sprintf(" %q", e.Cursor)
	}
	return text
}

// RowSettings is [Export.Settings] without where the rows are: they mean the same at another place.
func (e Export) RowSettings() string {
	e.Source, e.Dir, e.Pick = "", "", ""
	return e.Settings()
}

// Fingerprint identifies what would be read of attributes: the inputs by name and version,
// and the settings that reading depends on. It is equal only as long as reading again would
// give the same rows. It is "" if nobody can know that without reading, and if reading would
// fail since parts are missing. former is what it was as long as files had no more than
// their size and time. Where names come with the rows only the export's own attributes
// count.
func (s *Source) Fingerprint(attributes []Attribute) (fingerprint, former string) {
	e := s.export
	if e.NamesInRows() {
		attributes = e.Attributes
	}
	if s.traits != nil {
		traits, formerTraits := s.traits.Fingerprint(s.traits.export.Attributes)
		ids, formerIDs := s.ids.Fingerprint(s.ids.export.Attributes)
		if traits == "" || ids == "" {
			return "", ""
		}
		return traits + ids + e.Settings(), formerTraits + formerIDs + e.Settings()
	}
	if s.kept != "" {
		return s.kept, ""
	}
	e.Attributes = attributes
	now, then := sha256.New(), sha256.New()
	fmt.Fprintln(then, e.Settings())
	// The order of the columns may be another one each time that it is asked for.
	e.Attributes = slices.SortedFunc(slices.Values(attributes), func(a, b Attribute) int { return cmp.Compare(a.Key, b.Key) })
	fmt.Fprintln(now, "2", e.Settings()) // the form's number
	if !s.inputs.Identify(now, then) {
		return "", ""
	}
	return hex.EncodeToString(now.Sum(nil)[:16]), hex.EncodeToString(then.Sum(nil)[:16])
}

// EndsLines says before the reading that the export ended with a line break when it was applied
// last. Then a last row of text that has none is broken, even if it has all its fields: nobody
// knows whether the last one is all there.
func (s *Source) EndsLines() {
	s.endsLines = true
	if s.traits != nil {
		s.traits.EndsLines()
		s.ids.EndsLines()
	}
}

// AsOf returns the time of the data: that of the newest input. Of two tables together
// nothing newer is known than of the older one.
func (s *Source) AsOf() time.Time {
	asOf := s.inputs.AsOf()
	if s.ids != nil && s.ids.AsOf().Before(asOf) {
		return s.ids.AsOf()
	}
	return asOf
}

// Loaded returns when the newest row of a database was written, going by the column that the
// settings name; zero if they name none, or there is no row.
func (s *Source) Loaded(ctx context.Context) (time.Time, error) {
	if s.query == nil || s.export.LoadedAt == "" {
		return time.Time{}, nil
	}
	return s.query.Newest(ctx, s.export.LoadedAt)
}

// Parts returns how many inputs count, and those of a second table. They are to be handed to
// [Source.MissingParts] once a newer snapshot is there.
func (s *Source) Parts() (parts, ids int) {
	if s.ids != nil {
		ids = len(s.ids.inputs.All)
	}
	return len(s.inputs.All), ids
}

// MissingParts says that parts may be missing, where there are fewer than in the snapshot
// before and nothing shows that they are all: neither a manifest nor a _SUCCESS that is not
// older than any of them. It is "" if all is well.
func (s *Source) MissingParts(parts, ids int) string {
	if s.traits != nil {
		return cmp.Or(s.traits.MissingParts(parts, 0), s.ids.MissingParts(ids, 0))
	}
	if s.export.AnyParts || s.query != nil {
		return ""
	}
	return s.inputs.Missing(parts)
}
