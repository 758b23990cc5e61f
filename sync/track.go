package sync

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// An event export has files with track, page and screen calls. Each file is read once: its
// events become due in the state, together with the messages that were read, and then the
// file is done. A message that comes again, in another file or since a run was killed
// between two commits, is no event any more.

// track is an event export in a run.
type track struct {
	Track
	source *engage.Source
	dated
	files      []state.File // all that are there
	refused    error        // why it is held
	unreadable bool
	result     engage.Result
	rows       *extsort.Sorter // events by user id, nil: not read
	names      map[string]bool
	data       []gleap.Attribute // of the last event
	misfits    []engage.Problem  // some of the properties that do not fit their type
	runs.TrackCounts
}

// openTracks finds the files of the event exports, without those that were read before.
func (p *plan) openTracks(ctx context.Context) {
	for _, settings := range p.runner.o.Tracks {
		t := &track{Track: settings}
		p.tracks = append(p.tracks, t)
		if len(settings.Names) > 0 {
			t.names = map[string]bool{}
			for _, name := range settings.Names {
				t.names[foldName(name)] = true
			}
		}
		if err := p.openTrack(ctx, t); err != nil {
			t.refuse(err)
		}
	}
}

func (p *plan) openTrack(ctx context.Context, t *track) error {
	source, err := t.Open(ctx)
	var unreadable *engage.UnreadableError
	if errors.As(err, &unreadable) && unreadable.Empty && t.MaxAge == 0 {
		t.files = slices.DeleteFunc(slices.Clone(p.files), func(f state.File) bool { return f.Source != ledgerName(t.Source) })
		if len(t.files) > 0 { // they were moved away, and no new ones came
			return nil
		}
	}
	if err != nil {
		return err
	}
	t.source, t.dated = source, dateOf(source.AsOf(), p.runner.now())
	if reason := checkAge(t.asOf, state.Applied{}, t.MaxAge, p.runner.now()); reason != "" {
		return errors.New(reason)
	}
	// The settings do not matter, nor which export had a file: to read it again would repeat
	// its events.
	t.files, err = p.newFiles(source, ledgerName(t.Source), "", isTrackFile)
	return err
}

func (t *track) refuse(err error) {
	t.refused = err
	t.unreadable = errors.As(err, new(*engage.UnreadableError))
}

// isNew reports whether some of the export's files were not read before.
func (t *track) isNew() bool {
	return t.refused == nil && t.source != nil && len(t.source.Files()) > 0
}

// foldName makes names of events equal that Gleap takes for the same.
func foldName(name string) string { return strings.ToLower(gleap.EventName(name)) }

// trackedName returns the name of the event that a call becomes. Source: Segment's Gleap
// destination.
func trackedName(kind engage.CallType, name []byte) string {
	if kind == engage.Track {
		return string(name)
	}
	return gleap.PageView
}

// readTracks reads the new files and finds out which of their events are new.
func (p *plan) readTracks(ctx context.Context) error {
	var sources []*track
	var err error
	if p.typesOf, err = readPropertyTypes(p.overview.Properties); err != nil {
		return err
	}
	for _, t := range p.tracks {
		if !t.isNew() {
			continue
		}
		if err := p.readTrack(ctx, t); err != nil {
			return err
		}
		if t.rows != nil {
			sources = append(sources, t)
		}
	}
	p.typesOf.decide()
	return p.queue(ctx, sources)
}

// readTrack sorts the events of one export. What is wrong with it holds it; an error is one
// of the run.
func (p *plan) readTrack(ctx context.Context, t *track) error {
	t.rows = extsort.New(p.runner.o.Memory/4, &p.memory, p.runner.temp)
	take := func(kind engage.CallType, name []byte) bool {
		if t.names == nil || t.names[foldName(trackedName(kind, name))] {
			return true
		}
		t.Unnamed++
		return false
	}
	types := p.typesOf.fork()
	var payload []byte
	var failed error // of the sorter
	rows := 0
	result, err := t.source.ReadCalls(ctx, take, func(c *engage.Call) error {
		if rows++; rows%(1<<14) == 0 {
			p.runner.meter.Add(1 << 14)
		}
		switch {
		case p.forgotten.Has(c.UserID):
			t.Forgotten++
			return nil
		case time.Unix(0, c.At).Before(t.Since):
			t.Early++
			return nil
		}
		e := t.event(c, types)
		payload = appendRead(payload[:0], c.At, message(c), &e)
		failed = t.rows.Add(c.UserID, payload)
		return failed
	})
	t.result = result
	t.result.Problems = append(t.result.Problems, t.misfits...)
	if failed != nil || ctx.Err() != nil {
		return cmp.Or(failed, ctx.Err())
	}
	wanted := engage.Result{Rows: rows + result.Invalid + result.WithoutUserID, Invalid: result.Invalid}
	if err := p.believe(wanted, err); err != nil {
		t.refuse(err)
		t.rows.Close()
		t.rows = nil
		return nil
	}
	p.typesOf.join(types)
	return t.rows.Finish()
}

// event returns the event that a call becomes. Source: Segment's Gleap destination; of a
// page or screen it sends nothing but which one it was. The values of a track call's
// properties are what is said: types are decided once all are read.
func (t *track) event(c *engage.Call, types *propertyTypes) gleap.Event {
	e := gleap.Event{Name: []byte(trackedName(c.Type, c.Name)), Date: time.Unix(0, c.At), UserID: c.UserID}
	properties, unusable := c.Properties()
	if c.Type != engage.Track {
		page := attr.OfString(c.Name)
		for _, p := range properties {
			if c.Type == engage.Page && string(p.Name) == "url" && len(p.Value.Text()) > 0 {
				page = p.Value
			}
		}
		if len(page.Text()) > 0 {
			e.Data = []gleap.Attribute{{Key: "page", Value: page}}
		}
		return e
	}
	all := len(properties) + unusable
	if t.Keys != nil {
		properties = slices.DeleteFunc(properties, func(p engage.Property) bool { return !slices.Contains(t.Keys, string(p.Name)) })
	}
	t.data = t.data[:0]
	for _, p := range properties[:min(len(properties), gleap.MaxData)] {
		if reason := types.see(foldName(string(e.Name)), p); reason != "" {
			if len(t.misfits) < 5 {
				t.misfits = append(t.misfits, engage.Problem{File: c.File, Line: c.Line, Column: string(p.Name), Reason: reason})
			}
			continue
		}
		t.data = append(t.data, gleap.Attribute{Key: string(p.Name), Value: p.Value})
	}
	e.Data = t.data
	t.LeftOut += all - len(e.Data)
	return e
}

// message returns what tells the call from all others: its message's id, or else its place.
func message(c *engage.Call) uint64 {
	if c.Message != 0 {
		return c.Message
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d", c.File, c.Line))
	return binary.BigEndian.Uint64(sum[:])
}

const (
	// trackAt bounds the memory for events that are not committed yet.
	trackAt      = 20_000
	trackAtBytes = 8 << 20
)

// queue writes the new events of the exports to the plan, in the order of the user ids.
func (p *plan) queue(ctx context.Context, sources []*track) error {
	p.queued.Create = p.runner.temp
	var streams []extsort.Stream
	for _, t := range sources {
		streams = append(streams, t.rows.Stream(extsort.Span{}, p.readersBuffer(1)))
	}
	rows := extsort.NewMerger(streams, 0)
	type row struct {
		userID, payload []byte
		message         uint64
		from            *track
	}
	var batch []row
	size := 0
	met := map[uint64]bool{} // messages of the last contact
	var last []byte
	flush := func() error {
		messages := make([]uint64, len(batch))
		for i, e := range batch {
			messages[i] = e.message
		}
		known, err := p.runner.store.Remembered(messages)
		if err != nil {
			return err
		}
		for _, e := range batch {
			if !bytes.Equal(last, e.userID) {
				last = e.userID
				clear(met)
			}
			if known[e.message] || met[e.message] {
				e.from.Repeated++
				continue
			}
			met[e.message] = true
			e.from.Events++
			if err := p.queued.WriteRow(e.userID, e.payload); err != nil {
				return err
			}
		}
		batch, size = batch[:0], 0
		return ctx.Err()
	}
	for userID, read, ok := rows.Next(); ok; userID, read, ok = rows.Next() {
		payload, message, err := p.typesOf.event(userID, read)
		if err != nil {
			return err
		}
		batch = append(batch, row{bytes.Clone(userID), payload, message, sources[rows.Source()]})
		if size += len(payload); len(batch) == trackAt || size >= trackAtBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if rows.Err() != nil {
		return rows.Err()
	}
	return flush()
}

// storeTracks stores what the event exports said, before anything of it is sent. In the end
// their files are done. A baseline stores the messages only, so that they never come to be
// events.
func (p *plan) storeTracks(ctx context.Context) error {
	if !p.hasNewTracks() {
		return nil
	}
	var t state.NewEvents
	size := 0
	flush := func() error {
		if err := p.runner.ledger.AbsorbEvents(t); err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		t, size = state.NewEvents{Events: t.Events[:0], Messages: t.Messages[:0]}, 0
		return ctx.Err()
	}
	rows, left := p.queued.Rows(0, p.queued.Position()), p.newEvents()
	for userID, payload, ok := rows.Next(); ok; userID, payload, ok = rows.Next() {
		left--
		e, err := decodeEvent(userID, payload)
		if err != nil {
			return err
		}
		if t.Messages = append(t.Messages, e.ID); !p.assume {
			t.Events = append(t.Events, e)
		}
		if size += len(e.JSON); len(t.Messages) == trackAt || size >= trackAtBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if left != 0 {
		return extsort.ErrTemp
	}
	p.files = p.ledgerWithTracks()
	t.Files, t.Properties = p.files, p.typesOf.append()
	if !slices.ContainsFunc(p.tracks, func(t *track) bool { return t.refused != nil }) { // it may have stored a part
		t.Forget = time.Now().Add(-p.runner.o.Events.Remember)
	}
	return flush()
}

// newEvents returns how many events the event exports have that are new.
func (p *plan) newEvents() (n int) {
	for _, t := range p.tracks {
		n += t.Events
	}
	return n
}

// events returns how many events the run has to send.
func (p *plan) events() int {
	if p.alone || p.assume {
		return 0
	}
	return p.news + p.newEvents() + p.overview.DueEvents
}

// trackCalls returns how many requests they need.
func (p *plan) trackCalls() int {
	batch := max(1, p.runner.o.Events.Batch)
	return (p.events() + batch - 1) / batch
}

// report returns what is said of the export.
func (t *track) report() runs.ExportReport {
	r := runs.ExportReport{
		Key: ledgerName(t.Source), Name: t.Source, Kind: runs.KindTrack, Source: t.Source, Status: runs.StatusApplied, AsOf: t.asOf,
		Rows: t.result.Rows, Invalid: t.result.Invalid, WithoutUserID: t.result.WithoutUserID, Problems: t.result.Problems,
		Unreadable: t.unreadable, TrackCounts: t.TrackCounts,
	}
	switch {
	case t.refused != nil:
		r.Status, r.Reason = runs.StatusHeld, t.refused.Error()
		r.TrackCounts = runs.TrackCounts{}
	case !t.isNew():
		r.Status = runs.StatusUnchanged
	}
	return r
}
