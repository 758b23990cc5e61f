package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"gleapsync/gleap"
	"gleapsync/state"
)

const (
	// commitEvery bounds what is sent twice after a crash.
	commitEvery = time.Second
	// commitAt bounds the memory for what is not committed yet.
	commitAt = 20_000
)

// outcome is what became of one call.
type outcome struct {
	ack    state.Acknowledgement
	parked *state.Parked // if Gleap refused the call
}

// push sends the plan's entries, in their order, and commits what Gleap says.
//
// Cancelling ctx ends it early: the calls on their way are finished, and what Gleap
// acknowledged is committed.
func (r *Runner) push(ctx context.Context, p *plan, report *Report) error {
	sending, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	outcomes := make(chan outcome, 4096) // what comes in while a batch is committed
	committed := make(chan error)
	go func() { committed <- r.commit(outcomes, report, stop) }()
	err := r.sendAll(sending, p, outcomes)
	close(outcomes)
	if commitErr := <-committed; commitErr != nil {
		return commitErr // it is why the sending ended
	}
	return err
}

// sendAll sends the plan's entries with all workers.
func (r *Runner) sendAll(ctx context.Context, p *plan, outcomes chan<- outcome) error {
	group, ctx := errgroup.WithContext(ctx)
	entries := make(chan []byte, r.o.Concurrency)
	group.Go(func() error {
		defer close(entries)
		return p.entries(func(raw []byte) error {
			select {
			case entries <- raw:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range r.o.Concurrency {
		group.Go(func() error {
			for raw := range entries {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err := r.send(ctx, p, raw, outcomes); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// send makes one contact's calls, one after the other, and hands on what became of
// them. The error is one that ends the run.
func (r *Runner) send(ctx context.Context, p *plan, raw []byte, outcomes chan<- outcome) error {
	var e entry
	if err := e.decode(raw); err != nil {
		return err
	}
	for first := true; first || len(e.attributes) > 0; first = false {
		n := min(len(e.attributes), gleap.MaxAttributes)
		call := gleap.Contact{UserID: e.userID, Attributes: make([]gleap.Attribute, n)}
		ack := state.Acknowledgement{UserID: e.userID, Epoch: p.epoch, Attributes: e.attributes[:n], Complete: n == len(e.attributes)}
		for i, c := range e.attributes[:n] {
			call.Attributes[i] = gleap.Attribute{Key: p.byID[c.ID].key, Value: c.Value}
		}
		if first {
			call.Fields = e.fields
			for _, f := range e.fields {
				ack.Fields = append(ack.Fields, state.Field{Field: byte(f.Field), Text: f.Text})
			}
		}
		err := r.client.Identify(ctx, &call)
		var refused *gleap.RefusedError
		switch {
		case errors.As(err, &refused):
			var whole entry
			if err := whole.decode(raw); err != nil {
				return err
			}
			outcomes <- outcome{parked: &state.Parked{
				UserID: string(e.userID), Status: refused.Status, Reason: refused.Error(), Last: now(), Wanted: whole.wantedHash(),
			}}
			return nil
		case err != nil:
			return err
		}
		ack.At = time.Now()
		outcomes <- outcome{ack: ack}
		e.attributes = e.attributes[n:]
	}
	return nil
}

// commit writes outcomes to the state, in batches, until their channel is closed. If
// that fails it stops the sending: without the state every call would be repeated.
func (r *Runner) commit(outcomes <-chan outcome, report *Report, stop context.CancelCauseFunc) error {
	var (
		acks   []state.Acknowledgement
		parked []state.Parked
		failed error
	)
	flush := func() {
		if failed != nil || len(acks)+len(parked) == 0 {
			return
		}
		if err := r.store.Commit(acks, parked); err != nil {
			failed = fmt.Errorf("commit to the state: %w", err)
			stop(failed)
			return
		}
		for _, a := range acks {
			report.Calls.Identify++
			if a.Complete {
				report.Contacts.Sent++
				report.Contacts.Remaining--
			}
		}
		report.Contacts.Remaining -= len(parked)
		r.log.Debug("committed", "calls", len(acks), "parked", len(parked), "remaining", report.Contacts.Remaining)
		acks, parked = acks[:0], parked[:0]
	}
	tick := time.NewTicker(commitEvery)
	defer tick.Stop()
	for {
		select {
		case o, more := <-outcomes:
			switch {
			case !more:
				flush()
				return failed
			case o.parked != nil:
				parked = append(parked, *o.parked)
				r.progress.add(1)
				r.log.Warn("a contact is parked", "reason", o.parked.Reason)
			default:
				acks = append(acks, o.ack)
				if o.ack.Complete {
					r.progress.add(1)
				}
			}
			if len(acks)+len(parked) >= commitAt || failed != nil {
				flush()
				if failed != nil {
					acks, parked = nil, nil
				}
			}
		case <-tick.C:
			flush()
		}
	}
}

// assume commits the plan's entries as if Gleap had acknowledged them.
func (r *Runner) assume(ctx context.Context, p *plan, report *Report) error {
	var acks []state.Acknowledgement
	flush := func() error {
		if err := r.store.Commit(acks, nil); err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		report.Contacts.Assumed += len(acks)
		report.Contacts.Remaining -= len(acks)
		r.progress.add(len(acks))
		acks = acks[:0]
		return nil
	}
	if err := p.entries(func(raw []byte) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var e entry
		if err := e.decode(raw); err != nil {
			return err
		}
		ack := state.Acknowledgement{UserID: e.userID, At: time.Now(), Attributes: e.attributes, Complete: true, Epoch: p.epoch}
		for _, f := range e.fields {
			ack.Fields = append(ack.Fields, state.Field{Field: byte(f.Field), Text: f.Text})
		}
		if acks = append(acks, ack); len(acks) >= commitAt {
			return flush()
		}
		return nil
	}); err != nil {
		return err
	}
	return flush()
}
