package sync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"gleapsync/gleap"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// push sends the plan's entries, in their order, and commits what Gleap says.
//
// Cancelling ctx ends it early: the calls on their way are finished, and what Gleap
// acknowledged is committed.
func (r *Runner) push(ctx context.Context, p *plan, report *runs.Report) error {
	defer r.collectLess()()
	p.pushed = true
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	outcomes := make(chan outcome, 4096) // what comes in while a batch is committed
	ready := make(chan []state.Event)
	begun := make(chan *planfile.Entry, mostOpen)
	c := &committer{
		runner: r, plan: p, report: report, ready: ready, entries: p.file.Read(p.turns), begun: begun, mayOpen: 2 * r.o.Concurrency,
		course: newCourse(p.turns, report.Run, p.file.Counts()),
	}
	committed := make(chan error)
	go func() { committed <- c.run(outcomes, stop) }()
	err := r.sendBoth(sending, p, begun, outcomes, ready)
	c.cutShort = !p.delivered
	close(outcomes)
	if commitErr := <-committed; commitErr != nil {
		p.delivered = false
		return commitErr // it is why the sending ended
	}
	return err
}

// sendBoth sends the plan's entries, and the events beside them. What ends the sending of
// events does not end that of the entries, and is returned after it.
func (r *Runner) sendBoth(ctx context.Context, p *plan, begun <-chan *planfile.Entry, outcomes chan<- outcome, ready <-chan []state.Event) error {
	if p.events() == 0 {
		err := r.sendAll(ctx, p, r.o.Concurrency, begun, outcomes)
		p.delivered = err == nil
		return err
	}
	tracking, stop := context.WithCancel(ctx)
	defer stop()
	identified := make(chan struct{})
	t := &tracker{runner: r, plan: p, outcomes: outcomes, ready: ready, identified: identified}
	workers := max(1, r.o.Concurrency-1)
	tracked := make(chan error, 1)
	go func() {
		if r.o.Concurrency == 1 { // else there would be two calls at a time
			select {
			case <-identified:
			case <-tracking.Done():
			}
		}
		tracked <- t.run(tracking)
	}()
	err := r.sendAll(ctx, p, workers, begun, outcomes)
	if err == nil {
		err = t.settle(outcome{}) // now all events of the plan's contacts are due
	}
	if err != nil {
		stop()
		<-tracked
		return err
	}
	p.delivered = true
	close(identified)
	return <-tracked
}

// collectLess lets garbage pile up for longer, within the memory that planning had: what
// lives is little now, and the garbage of the calls is much. undo ends that.
func (r *Runner) collectLess() (undo func()) {
	percent := debug.SetGCPercent(300)
	const least = 64 << 20 // below that the collector would never rest
	limit := debug.SetMemoryLimit(min(debug.SetMemoryLimit(-1), max(least, r.o.Memory)))
	return func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}
}

// sendAll sends the plan's entries with so many workers, as they may be begun.
func (r *Runner) sendAll(ctx context.Context, p *plan, workers int, begun <-chan *planfile.Entry, outcomes chan<- outcome) error {
	group, ctx := errgroup.WithContext(ctx)
	whole := p.whole()
	for range workers {
		group.Go(func() error {
			for ctx.Err() == nil {
				select {
				case next, more := <-begun:
					if !more {
						return nil
					}
					if err := r.send(ctx, p, next, whole, outcomes); err != nil {
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

// send makes one contact's calls, one after the other, and hands on what became of
// them; whole says whether they are all that is wanted of it. The error is one that ends
// the run.
func (r *Runner) send(ctx context.Context, p *plan, next *planfile.Entry, whole bool, outcomes chan<- outcome) error {
	events := p.newsOf(next)
	e := *next // what is not told yet
	at := 0    // the index of the first attribute
	for first := true; first || len(e.Attributes) > 0; first = false {
		n := min(len(e.Attributes), gleap.MaxAttributes)
		call := gleap.Contact{UserID: e.UserID, Attributes: make([]gleap.Attribute, n)}
		ack := state.Acknowledgement{UserID: e.UserID, Attributes: e.Attributes[:n], Last: n == len(e.Attributes)}
		if ack.Last {
			ack.Epoch, ack.Unpark = p.epoch, whole
		}
		told := 0 // by this call
		for told < len(events) && e.News[told].Index < at+n {
			told++
		}
		ack.Events = events[:told]
		for i, c := range e.Attributes[:n] {
			call.Attributes[i] = gleap.Attribute{Key: p.byID[c.ID].key, Value: c.Value}
		}
		if first {
			call.Fields, ack.Fields = e.Fields, e.StateFields()
		}
		err := r.client.Identify(ctx, &call)
		var refused *gleap.RefusedError
		switch {
		case errors.As(err, &refused):
			if !first {
				e.Fields = nil // they went with the first call
			}
			outcomes <- outcome{class: next.Class, size: next.Size, untold: len(events), left: e.Announced(), parked: &state.Parked{
				UserID: string(e.UserID), Status: refused.Status, Reason: refused.Error(), Last: now(), Wanted: e.WantedHash(),
			}}
			return nil
		case errors.Is(err, gleap.ErrNotTaken) && first:
			outcomes <- outcome{untaken: e.UserID}
			return err
		case err != nil:
			return err
		}
		ack.At = r.now()
		o := outcome{class: next.Class, ack: ack}
		if ack.Last {
			o.size = next.Size
		}
		outcomes <- o
		e.Attributes = e.Attributes[n:]
		e.News, events, at = e.News[told:], events[told:], at+n
	}
	return nil
}

// assume commits the plan's entries as if Gleap had acknowledged them.
func (r *Runner) assume(ctx context.Context, p *plan, report *runs.Report) error {
	var acks []state.Acknowledgement
	var done [runs.Classes]int // of acks
	flush := func() error {
		if _, err := r.ledger.Commit(state.Delivery{Acks: acks, Assumed: true}); err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		report.Contacts.Assumed += len(acks)
		report.Contacts.Remaining -= len(acks)
		report.Done(done)
		done = [runs.Classes]int{}
		r.meter.Add(len(acks))
		acks = acks[:0]
		return nil
	}
	for entries := p.file.Read(p.turns); ctx.Err() == nil; {
		e, err := entries.Next()
		if err == io.EOF {
			return flush()
		}
		if err != nil {
			return err
		}
		done[e.Class]++
		ack := state.Acknowledgement{UserID: e.UserID, At: r.now(), Attributes: e.Attributes, Epoch: p.epoch, Unpark: p.whole(), Fields: e.StateFields()}
		if acks = append(acks, ack); len(acks) >= commitAt {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
