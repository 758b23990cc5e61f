package events

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"gleapsync/internal/extsort"
	"gleapsync/state"
)

const (
	// trackAt bounds the memory for events that are not committed yet.
	trackAt      = 20_000
	trackAtBytes = 8 << 20
)

// queue writes the new events of the exports to the plan, in the order of the user ids.
func (in *Inputs) queue(ctx context.Context, sources []*export, store store) error {
	in.queued.Create = in.o.Temp
	var sorted []*extsort.Sorter
	for _, x := range sources {
		sorted = append(sorted, x.rows)
	}
	buffer := extsort.Buffer(in.o.Memory/4, sorted, 1)
	var streams []extsort.Stream
	for _, x := range sources {
		streams = append(streams, x.rows.Stream(extsort.Span{}, buffer))
	}
	rows := extsort.NewMerger(streams, 0)
	type row struct {
		userID, payload []byte
		message         uint64
		from            *export
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
		known, err := store.Remembered(messages)
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
			if err := in.queued.WriteRow(e.userID, e.payload); err != nil {
				return err
			}
		}
		batch, size = batch[:0], 0
		return ctx.Err()
	}
	for userID, read, ok := rows.Next(); ok; userID, read, ok = rows.Next() {
		payload, message, err := in.types.event(userID, read)
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

// eventStore is where events are stored: a [*state.Store].
type eventStore interface {
	AbsorbEvents(state.NewEvents) error
}

// Store stores what the event exports said, before anything of it is sent. In the end
// their files are done. A baseline stores the messages only, so that they never come to be
// events.
func (in *Inputs) Store(ctx context.Context, ledger eventStore, assume bool) error {
	if !in.HasNew() {
		return nil
	}
	var t state.NewEvents
	size := 0
	flush := func() error {
		if err := ledger.AbsorbEvents(t); err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		t, size = state.NewEvents{Events: t.Events[:0], Messages: t.Messages[:0]}, 0
		return ctx.Err()
	}
	rows, left := in.queued.Rows(0, in.queued.Position()), in.Count()
	for userID, payload, ok := rows.Next(); ok; userID, payload, ok = rows.Next() {
		left--
		e, err := decodeEvent(userID, payload)
		if err != nil {
			return err
		}
		if t.Messages = append(t.Messages, e.ID); !assume {
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
	in.files = in.filesAfter()
	t.Files, t.Properties = in.files, in.types.append()
	if !slices.ContainsFunc(in.all, func(t *export) bool { return t.refused != nil }) { // it may have stored a part
		t.Forget = time.Now().Add(-in.o.Remember)
	}
	return flush()
}
