package source

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Place says where inputs are.
type Place struct {
	Source string // a path, a glob, [Stdin] or an object; with Command, what people call that
	Dir    string // where a relative Source starts, and where Command runs
	Pick   Pick   // for globs
	Loose  bool   // the inputs come and go: they are no parts of one snapshot

	Command []string          // its standard output is read; with its arguments, and without a shell
	Secrets []string          // what Command may say, and neither Log nor an error may show
	Hidden  []string          // environment variables that Command does not get
	Log     func(line string) // is told what Command writes to its standard error; may be nil
	Timeout time.Duration     // of Command, 0: 10 minutes
}

// Pick says what is read if a glob matches several files.
type Pick string

// The choices for [Place.Pick].
const (
	PickOne    Pick = ""       // several files are an error
	PickNewest Pick = "newest" // the one that was changed last
	PickAll    Pick = "all"    // all of them, as parts of one snapshot
)

// Inputs is what was found at a place. Nothing of it is open until it is read, and a
// command is not started.
type Inputs struct {
	All        []Input
	Incomplete error // why a manifest is not fulfilled

	place     Place
	marks     []Input // the files that say that all parts are there
	fulfilled bool    // a manifest names all parts
}

// Input is one thing that is read from its start to its end, such as a file.
type Input struct {
	Name    string    // for people: as the configuration has it
	Version string    // equal only as long as reading gives the same; "": nobody knows
	Time    time.Time // of the data
	Once    bool      // it can be opened once only
	// Raw returns what is stored. Closing it returns an error if what was read cannot be
	// trusted: if it changed while it was read, for one.
	Raw func(context.Context) (io.ReadCloser, error)

	local bool   // it is a file of this machine
	exact string // changes with the content also where Version does not; "": nobody knows
	size  int64  // in bytes, as it is stored; of files and objects only
}

// IsLocal reports whether the input is a file of this machine, which is as good as free to read
// again.
func (in Input) IsLocal() bool { return in.local }

// UnreadableError says that inputs are not there or cannot be read, as opposed to inputs
// whose content is of no use.
type UnreadableError struct {
	Empty  bool // the folder or bucket can be read, but no file in it is meant
	reason string
}

func (e *UnreadableError) Error() string { return e.reason }

// Unreadable returns an [*UnreadableError].
func Unreadable(format string, args ...any) error {
	return &UnreadableError{reason: fmt.Sprintf(format, args...)}
}

func empty(format string, args ...any) error {
	return &UnreadableError{Empty: true, reason: fmt.Sprintf(format, args...)}
}

// Find finds at least one input. The error is an [*UnreadableError]: it says why there is
// none, or why it cannot tell which of them is meant.
func (p Place) Find(ctx context.Context) (*Inputs, error) {
	found, err := p.look(ctx)
	if err != nil {
		return nil, err
	}
	all, err := p.parts(ctx, found)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all.All, func(a, b Input) int { return cmp.Compare(a.Name, b.Name) })
	switch {
	case p.Pick == PickNewest:
		all.All = []Input{slices.MaxFunc(all.All, byTime)}
	case p.Pick == PickOne && len(all.All) > 1:
		return nil, Unreadable(`%s matches %d files: set pick to "newest", or to "all" if they are parts of one snapshot`, p.Source, len(all.All))
	}
	return all, nil
}

// byTime compares inputs by their times, those of one time by their names.
func byTime(a, b Input) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Name, b.Name)) }

// look finds all that stands at the place.
func (p Place) look(ctx context.Context) (found, error) {
	only := func(in Input) (found, error) { return found{files: []Input{in}, named: true}, nil }
	switch {
	case len(p.Command) > 0:
		return only(Input{Name: p.Source, Time: time.Now(), Raw: p.runCommand, Once: true})
	case p.Source == Stdin:
		return only(Input{Name: "standard input", Time: time.Now(), Raw: openStdin, Once: true})
	case isRemote(p.Source):
		return p.objects(ctx)
	}
	return p.localFiles()
}

// isRemote reports whether a source is something else than a local path or glob.
func isRemote(source string) bool { return strings.Contains(source, "://") }

// InOrder returns the inputs in the order of their times.
func (s *Inputs) InOrder() []Input { return slices.SortedStableFunc(slices.Values(s.All), byTime) }

// Identify writes what is equal only as long as reading gives the same; former gets what
// it was as long as files had no more than their size and time. It reports false if nobody
// can know that without reading, and if reading would fail since parts are missing.
func (s *Inputs) Identify(now, former io.Writer) bool {
	both := io.MultiWriter(now, former)
	for _, in := range s.All {
		if in.Version == "" {
			return false
		}
		fmt.Fprintf(both, "%q %s\n", in.Name, in.Version)
		if in.exact != "" {
			fmt.Fprintf(now, "%s\n", in.exact)
		}
	}
	return s.Incomplete == nil
}

// AsOf returns the time of the data: that of the newest input.
func (s *Inputs) AsOf() time.Time {
	var newest time.Time
	for _, in := range s.All {
		if in.Time.After(newest) {
			newest = in.Time
		}
	}
	return newest
}
