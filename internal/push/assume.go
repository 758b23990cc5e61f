package push

import (
	"context"
	"fmt"
	"io"

	"gleapsync/internal/runs"
	"gleapsync/state"
)

// Assume commits the plan's entries as if Gleap had acknowledged them.
func Assume(ctx context.Context, o Options, plan Plan, report *runs.Report) error {
	defer collectLess(o.Memory)()
	var b batch
	flush := func() error {
		b.Assumed = true
		if _, err := o.Ledger.Commit(b.Delivery); err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		report.Contacts.Assumed += len(b.Acks)
		report.Contacts.Remaining -= len(b.Acks)
		report.Done(b.done)
		o.Meter.Add(len(b.Acks))
		b.reset()
		return nil
	}
	for entries := plan.File.Read(plan.Before); ctx.Err() == nil; {
		e, err := entries.Next()
		if err == io.EOF {
			return flush()
		}
		if err != nil {
			return err
		}
		b.done[e.Class]++
		b.acknowledge(&state.Acknowledgement{
			UserID: e.UserID, At: o.Now(), Attributes: e.Attributes, Epoch: plan.Epoch, Unpark: plan.Whole, Fields: e.StateFields(),
		}, e.Class)
		if b.isFull() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
