package push

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"time"

	"golang.org/x/sync/errgroup"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/planfile"
	"gleapsync/state"
)

// answer is what became of a call, or of a request with events. One that is about nothing has
// its sender wait for those before it.
type answer struct {
	entry     *planfile.Entry        // of the call's contact
	ack       *state.Acknowledgement // Gleap took the call
	refused   *refusal               // Gleap refused it; neither: it took nothing, and the run ends
	events    *tracked
	committed chan<- error // is told once all up to here is committed; nil: it may wait
}

// isLast reports whether all is known of the answer's entry now.
func (a *answer) isLast() bool { return a.refused != nil || a.ack != nil && a.ack.Last }

// sender makes the calls of entries that may be begun.
type sender struct {
	o       *Options
	plan    *Plan
	begun   <-chan *planfile.Entry
	answers chan<- answer
}

// run sends entries with so many workers.
func (s *sender) run(ctx context.Context, workers int) error {
	group, ctx := errgroup.WithContext(ctx)
	for range workers {
		group.Go(func() error {
			for ctx.Err() == nil {
				select {
				case e, more := <-s.begun:
					if !more {
						return nil
					}
					if err := s.send(ctx, e); err != nil {
						return err
					}
				case <-ctx.Done():
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// send makes one contact's calls, one after the other, and hands on what became of them. The
// error is one that ends the run.
func (s *sender) send(ctx context.Context, e *planfile.Entry) error {
	left := *e // what the contact was not told yet
	events := s.eventsOf(e)
	at := 0 // the index of the first attribute
	for first := true; first || len(left.Attributes) > 0; first = false {
		n := min(len(left.Attributes), gleap.MaxAttributes)
		call := gleap.Contact{UserID: e.UserID, Attributes: make([]gleap.Attribute, n)}
		ack := state.Acknowledgement{UserID: e.UserID, Attributes: left.Attributes[:n], Last: n == len(left.Attributes)}
		if ack.Last {
			ack.Epoch, ack.Unpark = s.plan.Epoch, s.plan.Whole
		}
		told := 0 // by this call
		for told < len(events) && left.News[told].Index < at+n {
			told++
		}
		ack.Events = events[:told]
		for i, c := range left.Attributes[:n] {
			call.Attributes[i] = gleap.Attribute{Key: s.plan.Attributes[c.ID].Key, Value: c.Value}
		}
		if first {
			call.Fields, ack.Fields = e.Fields, e.StateFields()
		} else {
			left.Fields = nil // they went with the first call
		}
		err := s.o.Client.Identify(ctx, &call)
		var refused *gleap.RefusedError
		switch {
		case errors.As(err, &refused):
			s.answers <- answer{entry: e, refused: &refusal{left: left, Parked: state.Parked{
				UserID: string(e.UserID), Status: refused.Status, Reason: refused.Error(), Last: s.o.Now(), Wanted: left.WantedHash(),
			}}}
			return nil
		case errors.Is(err, gleap.ErrNotTaken) && first:
			s.answers <- answer{entry: e}
			return err
		case err != nil:
			return err
		}
		ack.At = s.o.Now()
		s.answers <- answer{entry: e, ack: &ack}
		left.Attributes = left.Attributes[n:]
		left.News, events, at = left.News[told:], events[told:], at+n
	}
	return nil
}

// eventsOf returns the events that an entry's news are.
func (s *sender) eventsOf(e *planfile.Entry) []state.Event {
	var events []state.Event
	for _, n := range e.News {
		events = append(events, s.event(e.UserID, e.Attributes[n.Index], n.At))
	}
	return events
}

// event returns the event that a change is. Source: Segment's track calls of Engage.
func (s *sender) event(userID []byte, c state.Change, at int64) state.Event {
	a := s.plan.Attributes[c.ID]
	name, keyName := s.o.Events.Computed, "trait_key"
	if a.IsAudience {
		name, keyName = s.o.Events.Entered, "audience_key"
		if c.Value.Kind() != attr.True {
			name = s.o.Events.Exited
		}
	}
	e := gleap.Event{
		Name: []byte(name), Date: time.Unix(0, at), UserID: userID,
		Data: []gleap.Attribute{{Key: keyName, Value: attr.OfString([]byte(a.Key))}, {Key: a.Key, Value: c.Value}},
	}
	h := fnv.New64a() // the same change is the same event
	h.Write(c.Value.Append(binary.BigEndian.AppendUint32(nil, c.ID)))
	return state.Event{UserID: userID, At: at, ID: h.Sum64(), JSON: e.AppendJSON(nil)}
}
