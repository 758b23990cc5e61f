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
	var acks []state.Acknowledgement
	var done [runs.Classes]int // of acks
	flush := func() error {
		if _, err := o.Ledger.Commit(state.Delivery{Acks: acks, Assumed: true}); err != nil {
			return fmt.Errorf("commit to the state: %w", err)
		}
		report.Contacts.Assumed += len(acks)
		report.Contacts.Remaining -= len(acks)
		report.Done(done)
		done = [runs.Classes]int{}
		o.Meter.Add(len(acks))
		acks = acks[:0]
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
		done[e.Class]++
		ack := state.Acknowledgement{UserID: e.UserID, At: o.Now(), Attributes: e.Attributes, Epoch: plan.Epoch, Unpark: plan.Whole, Fields: e.StateFields()}
		if acks = append(acks, ack); len(acks) >= commitAt {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
