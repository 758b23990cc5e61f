package events

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/done"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Inputs are the event exports of a run.
type Inputs struct {
	o      Options
	all    []*export
	types  *propertyTypes
	queued extsort.Spool // new events, in the order of the user ids
	files  []state.DoneFile
}

// Options say which event exports are read, how, and what the state knows of them.
type Options struct {
	Exports    []Export
	Memory     int64 // bytes for sorting
	Rows       *extsort.Memory
	Temp       extsort.CreateTemp
	Meter      *runs.Meter
	MaxInvalid guard.Limit
	Remember   time.Duration // how long a message is known, so that it does not count twice
	At         time.Time     // when the run began

	Files      []state.DoneFile // of change and event exports that are done
	Properties []byte           // the types of the properties
	Forgotten  *state.Forgotten
}

// store is what is asked and told of events: a [*state.Store].
type store interface {
	// Remembered returns which of some messages were read before.
	Remembered(messages []uint64) (map[uint64]bool, error)
}

// New returns the event exports of a run, of which none is open yet.
func New(o Options) *Inputs { return &Inputs{o: o, files: o.Files} }

// open finds the files of the event exports, without those that were read before.
func (in *Inputs) open(ctx context.Context) {
	for _, settings := range in.o.Exports {
		x := &export{Export: settings}
		in.all = append(in.all, x)
		if len(settings.Names) > 0 {
			x.names = map[string]bool{}
			for _, name := range settings.Names {
				x.names[foldName(name)] = true
			}
		}
		if err := in.openExport(ctx, x); err != nil {
			x.refuse(err)
		}
	}
}

func (in *Inputs) openExport(ctx context.Context, x *export) error {
	source, err := x.Open(ctx)
	var unreadable *engage.UnreadableError
	if errors.As(err, &unreadable) && unreadable.Empty && x.MaxAge == 0 {
		x.files = slices.DeleteFunc(slices.Clone(in.files), func(f state.DoneFile) bool { return f.Source != Key(x.Source) })
		if len(x.files) > 0 { // they were moved away, and no new ones came
			return nil
		}
	}
	if err != nil {
		return err
	}
	x.source, x.Dated = source, guard.DateOf(source.AsOf(), in.o.At)
	if reason := guard.CheckAge(x.AsOf, state.Applied{}, x.MaxAge, in.o.At); reason != "" {
		return errors.New(reason)
	}
	// The settings do not matter, nor which export had a file: to read it again would repeat
	// its events.
	x.files, err = done.Take(in.files, source, Key(x.Source), "", IsFile)
	if slices.ContainsFunc(slices.Concat(in.files, x.files), func(f state.DoneFile) bool { return f.Source == Key(x.Source) && f.EndsLine }) {
		source.EndsLines()
	}
	return err
}

// Read finds the exports, reads their new files, and finds out which of the events are new.
func (in *Inputs) Read(ctx context.Context, store store) error {
	in.open(ctx)
	var sources []*export
	defer func() {
		for _, x := range in.all {
			if x.rows != nil {
				x.rows.Close()
			}
		}
	}()
	var err error
	if in.types, err = readPropertyTypes(in.o.Properties); err != nil {
		return err
	}
	for _, x := range in.all {
		if !x.isNew() {
			continue
		}
		if err := in.readExport(ctx, x); err != nil {
			return err
		}
		if x.rows != nil {
			sources = append(sources, x)
		}
	}
	in.types.decide()
	return in.queue(ctx, sources, store)
}

// readExport sorts the events of one export. What is wrong with it holds it; an error is one
// of the run.
func (in *Inputs) readExport(ctx context.Context, x *export) error {
	x.rows = extsort.New(in.o.Memory/4, in.o.Rows, in.o.Temp)
	take := func(kind engage.CallType, name []byte) bool {
		if x.names == nil || x.names[foldName(trackedName(kind, name))] {
			return true
		}
		x.Unnamed++
		return false
	}
	types := in.types.fork()
	var payload []byte
	var failed error // of the sorter
	rows := 0
	result, err := x.source.ReadCalls(ctx, take, func(c *engage.Call) error {
		if rows++; rows%(1<<14) == 0 {
			in.o.Meter.Add(1 << 14)
		}
		switch {
		case in.o.Forgotten.Has(c.UserID):
			x.Forgotten++
			return nil
		case time.Unix(0, c.At).Before(x.Since):
			x.Early++
			return nil
		}
		e := x.event(c, types)
		payload = appendRead(payload[:0], c.At, message(c), &e)
		failed = x.rows.Add(c.UserID, payload)
		return failed
	})
	x.result = result
	x.result.Problems = append(x.result.Problems, x.misfits...)
	if failed != nil || ctx.Err() != nil {
		return cmp.Or(failed, ctx.Err())
	}
	if reason := guard.CheckInvalid(result.Invalid, rows+result.Invalid+result.WithoutUserID, in.o.MaxInvalid); err == nil && reason != "" {
		err = errors.New(reason)
	}
	if err != nil {
		x.refuse(err)
		x.rows.Close()
		x.rows = nil
		return nil
	}
	if result.Ends == engage.EndsLine {
		x.noteEnds()
	}
	in.types.join(types)
	return x.rows.Finish()
}

// Count returns how many events the event exports have that are new.
func (in *Inputs) Count() (n int) {
	for _, x := range in.all {
		n += x.Events
	}
	return n
}

// HasNew reports whether event exports have files that were not read before, or lack
// some that were.
func (in *Inputs) HasNew() bool {
	return len(in.all) > 0 && !done.Same(in.files, in.filesAfter())
}

// keepUnseen is how long the list of those that are done has files of event exports that are not there any more:
// a folder may come back, and to read its files again would repeat their events.
const keepUnseen = 90 * 24 * time.Hour

// filesAfter returns the files that are done once the event exports are stored.
func (in *Inputs) filesAfter() []state.DoneFile {
	names := map[string]bool{}
	after := []state.DoneFile{}
	present := time.Now().UTC().Truncate(time.Millisecond)
	for _, x := range in.all {
		if x.refused != nil {
			continue
		}
		for _, f := range x.files {
			if present.Sub(f.At) > 24*time.Hour {
				f.At = present
			}
			names[f.Name] = true
			after = append(after, f)
		}
	}
	for _, f := range in.files {
		if !IsFile(f) || !names[f.Name] && present.Sub(f.At) < keepUnseen {
			after = append(after, f)
		}
	}
	return after
}

// Files returns the files of change and event exports that are done by now.
func (in *Inputs) Files() []state.DoneFile { return in.files }

// Reports returns what is said of each export.
func (in *Inputs) Reports() (all []runs.ExportReport) {
	for _, x := range in.all {
		all = append(all, x.report())
	}
	return all
}

// Notes says which exports are dated ahead of now.
func (in *Inputs) Notes() (all []string) {
	for _, x := range in.all {
		all = append(all, x.Note(x.Source))
	}
	return all
}

// Close removes the new events.
func (in *Inputs) Close() { in.queued.Close() }
