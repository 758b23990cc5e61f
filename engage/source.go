package engage

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Source is an export whose inputs were found. Nothing of them is open until it is read, and
// a command is not started.
type Source struct {
	export Export
	inputs []input

	// Of a snapshot in parts:
	marks      []input // the files that say that all parts are there
	fulfilled  bool    // a manifest names all parts
	incomplete error   // why a manifest is not fulfilled
}

// input is one thing that is read from its start to its end, such as a file.
type input struct {
	name    string    // for people: as the configuration has it
	version string    // equal only as long as reading gives the same; "": nobody knows
	exact   string    // changes with the content also where version does not; "": nobody knows
	time    time.Time // of the data
	size    int64     // in bytes, as it is stored; of files and objects only
	// open returns the text, or what was compressed of it. Closing it returns an error if
	// what was read cannot be trusted: if it changed while it was read, for one.
	open func(context.Context) (io.ReadCloser, error)
	// table opens, instead of open, what has rows and no text.
	table func(context.Context) (table, error)
	// once: it can be opened once only.
	once bool
}

// UnreadableError says that an export's files are not there or cannot be read, as
// opposed to files whose content is of no use.
type UnreadableError struct {
	Empty  bool // the folder or bucket can be read, but no file in it is meant
	reason string
}

func (e *UnreadableError) Error() string { return e.reason }

func unreadable(format string, args ...any) error {
	return &UnreadableError{reason: fmt.Sprintf(format, args...)}
}

func empty(format string, args ...any) error {
	return &UnreadableError{Empty: true, reason: fmt.Sprintf(format, args...)}
}

// Open finds the inputs of e. The error is an [*UnreadableError]: it says why they are
// not there, or why it cannot tell which of them is meant.
func (e Export) Open(ctx context.Context) (*Source, error) {
	found, err := e.inputs(ctx)
	if err != nil {
		return nil, err
	}
	s, err := e.parts(ctx, found)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(s.inputs, func(a, b input) int { return cmp.Compare(a.name, b.name) })
	switch {
	case e.Pick == PickNewest:
		s.inputs = []input{slices.MaxFunc(s.inputs, func(a, b input) int { return cmp.Or(a.time.Compare(b.time), cmp.Compare(a.name, b.name)) })}
	case e.Pick == PickOne && len(s.inputs) > 1:
		return nil, unreadable(`%s matches %d files: set pick to "newest", or to "all" if they are parts of one snapshot`, e.Source, len(s.inputs))
	}
	return s, nil
}

// inputs finds at least one input.
func (e Export) inputs(ctx context.Context) (found, error) {
	only := func(in input) (found, error) { return found{files: []input{in}, named: true}, nil }
	switch {
	case len(e.Command) > 0:
		return only(e.commandOutput())
	case e.Source == Stdin:
		return only(standardInput())
	case IsDatabase(e.Source):
		return found{files: e.databaseInput(), named: true}, nil
	case isRemote(e.Source):
		return e.objects(ctx)
	}
	return e.localFiles()
}

// Want sets what Read is to read: other attributes of the same export.
func (s *Source) Want(e Export) { s.export = e }

// File is one of the inputs of a source.
type File struct {
	Name    string
	Version string // of a local file size and time: what was done is known by these
}

// Files returns the inputs.
func (s *Source) Files() []File {
	var files []File
	for _, in := range s.inputs {
		files = append(files, File{in.name, in.version})
	}
	return files
}

// Skip takes inputs out: Read and ReadChanges pass them over.
func (s *Source) Skip(skip func(File) bool) {
	s.inputs = slices.DeleteFunc(s.inputs, func(in input) bool { return skip(File{in.name, in.version}) })
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
	return text
}

// Fingerprint identifies what would be read: the inputs by name and version, and the
// settings that reading depends on. It is equal only as long as reading again would give
// the same rows. It is "" if nobody can know that without reading, and if reading would
// fail since parts are missing. former is what it was as long as files had no more than
// their size and time.
func (s *Source) Fingerprint() (fingerprint, former string) {
	if s.incomplete != nil {
		return "", ""
	}
	sorted := s.export // the order of the columns may be another one each time that it is asked for
	sorted.Attributes = slices.SortedFunc(slices.Values(s.export.Attributes), func(a, b Attribute) int { return cmp.Compare(a.Key, b.Key) })
	now, then := sha256.New(), sha256.New()
	fmt.Fprintln(now, "2", sorted.Settings()) // the form's number
	fmt.Fprintln(then, s.export.Settings())
	both := io.MultiWriter(now, then)
	for _, in := range s.inputs {
		if in.version == "" {
			return "", ""
		}
		fmt.Fprintf(both, "%q %s\n", in.name, in.version)
		if in.exact != "" {
			fmt.Fprintf(now, "%s\n", in.exact)
		}
	}
	return hex.EncodeToString(now.Sum(nil)[:16]), hex.EncodeToString(then.Sum(nil)[:16])
}

// AsOf returns the time of the data: that of the newest input.
func (s *Source) AsOf() time.Time {
	var newest time.Time
	for _, in := range s.inputs {
		if in.time.After(newest) {
			newest = in.time
		}
	}
	return newest
}
