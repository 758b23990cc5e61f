package known

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/guard"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// List is a list of user ids, which is read as an export is.
type List struct {
	engage.Export
	MaxAge time.Duration // 0: any
}

// Options say how lists are read.
type Options struct {
	Lists      []List
	Budget     int64 // bytes for sorting a list
	Memory     *extsort.Memory
	Temp       extsort.CreateTemp
	Meter      *runs.Meter
	MaxInvalid guard.Limit
	At         time.Time       // when the run began
	Ends       map[string]bool // what [Lists.Ends] said in the run before
	Log        func(list, line string)
}

// Lists are the lists of a run. Of a nil one, where the configuration has none, everybody may be
// created.
type Lists struct {
	all  []*list
	ends map[string]bool // see [Lists.Ends]
	held bool
	sum  [2]uint64 // of the hashes of all ids
}

// list is a list in a run.
type list struct {
	List
	guard.Dated
	rows    *extsort.Sorter // the ids, nil: it is held
	ids     int             // rows with one
	result  engage.Result
	refused error // why it is held
}

// Read reads and sorts lists. It returns nil if there are none. What is wrong with a list holds
// it; an error is one of the run. The caller closes them, also after an error.
func Read(ctx context.Context, o Options) (*Lists, error) {
	if len(o.Lists) == 0 {
		return nil, nil
	}
	l := &Lists{ends: map[string]bool{}}
	for _, settings := range o.Lists {
		x := &list{List: settings}
		l.all = append(l.all, x)
		if o.Log != nil {
			x.Log = func(line string) { o.Log(settings.Source, line) }
		}
		if o.Meter != nil {
			x.Progress = o.Meter.Add
		}
		name := x.name()
		if o.Ends[name] {
			l.ends[name] = true
		}
		sum, failed := x.read(ctx, o)
		if failed != nil || ctx.Err() != nil {
			return l, cmp.Or(failed, ctx.Err())
		}
		if x.refused != nil {
			x.drop()
			l.held = true
			continue
		}
		if x.result.Ends == engage.EndsLine {
			l.ends[name] = true
		}
		l.sum[0], l.sum[1] = l.sum[0]+sum[0], l.sum[1]+sum[1]
	}
	return l, nil
}

// read sorts the ids of a list. It returns the sum of their hashes, which does not depend on their
// order. failed is an error of the run.
func (x *list) read(ctx context.Context, o Options) (sum [2]uint64, failed error) {
	x.rows = extsort.New(o.Budget, o.Memory, o.Temp)
	err := x.each(ctx, o, func(id []byte) error {
		x.ids++
		hash := sha256.Sum256(id)
		sum[0] += binary.BigEndian.Uint64(hash[:])
		sum[1] += binary.BigEndian.Uint64(hash[8:])
		failed = x.rows.Add(id, nil)
		return failed
	})
	switch {
	case failed != nil:
	case err != nil:
		x.refused = err
	case x.result.Cut:
		x.refused = errCut
	case x.ids == 0:
		x.refused = errors.New("the list has no user id: nobody new is created until it has")
	default:
		if reason := guard.CheckInvalid(x.result.Invalid, x.result.Rows, o.MaxInvalid); reason != "" {
			x.refused = errors.New(reason)
			return sum, nil
		}
		failed = x.rows.Finish()
	}
	return sum, failed
}

var errCut = errors.New("the last row has no line break, though the list ended with one before: it may be cut off. Have it written again; if the row is whole, end it with a line break")

// each calls yield with the ids of a list, in the order of its rows. Only after nil all were seen.
func (x *list) each(ctx context.Context, o Options, yield func(id []byte) error) error {
	source, err := x.Open(ctx)
	if err != nil {
		return err
	}
	x.Dated = guard.DateOf(source.AsOf(), o.At)
	if reason := guard.CheckAge(x.AsOf, state.Applied{}, x.MaxAge, o.At); reason != "" {
		return errors.New(reason)
	}
	if o.Ends[x.name()] {
		source.EndsLines()
	}
	x.result, err = source.Read(ctx, nil, func(id []byte, _ []attr.Value) error { return yield(id) })
	return err
}

// name tells the list from others in the state. Of a command the source has the first words only.
func (x *list) name() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", x.Source, x.Command))
	return hex.EncodeToString(sum[:8])
}

func (x *list) drop() {
	if x.rows != nil {
		x.rows.Close()
		x.rows = nil
	}
}

// Held reports whether a list is held, so that somebody may be left out who is on it.
func (l *Lists) Held() bool { return l != nil && l.held }

// Version is equal as long as the lists have the same ids; "" if there are none.
func (l *Lists) Version() string {
	if l == nil {
		return ""
	}
	return fmt.Sprintf("%016x%016x", l.sum[0], l.sum[1])
}

// Ends returns the names of the lists that ended with a line break, now or before: without one they
// are cut off. It returns nil if there are no lists.
func (l *Lists) Ends() map[string]bool {
	if l == nil {
		return nil
	}
	return l.ends
}

// IsSettled reports whether nobody waits for the lists to change who was left out when their
// version was that, "": nobody was.
func (l *Lists) IsSettled(version string) bool {
	return version == "" || version == l.Version() && !l.Held()
}

// Sorters returns the sorters of the ids, whose streams need buffers.
func (l *Lists) Sorters() (all []*extsort.Sorter) {
	if l == nil {
		return nil
	}
	for _, x := range l.all {
		if x.rows != nil {
			all = append(all, x.rows)
		}
	}
	return all
}

// Reports returns what is said of each list.
func (l *Lists) Reports() (all []runs.ExportReport) {
	if l == nil {
		return nil
	}
	for _, x := range l.all {
		r := runs.ExportReport{
			Key: "known " + x.Source, Name: x.Source, Kind: runs.KindKnown, Source: x.Source, Status: runs.StatusApplied, AsOf: x.AsOf,
			Rows: x.result.Rows, Invalid: x.result.Invalid, WithoutUserID: x.result.WithoutUserID, Problems: x.result.Problems, Members: x.ids,
		}
		if x.refused != nil {
			r.Status, r.Reason, r.Members = runs.StatusHeld, x.refused.Error(), 0
			r.Unreadable = errors.As(x.refused, new(*engage.UnreadableError))
		}
		all = append(all, r)
	}
	return all
}

// Notes says which lists are dated ahead of now.
func (l *Lists) Notes() (all []string) {
	if l == nil {
		return nil
	}
	for _, x := range l.all {
		all = append(all, x.Note(x.Source))
	}
	return all
}

// Close gives the memory and the temporary files of the ids back.
func (l *Lists) Close() {
	if l == nil {
		return
	}
	for _, x := range l.all {
		x.drop()
	}
}
