package sync

import (
	"context"
	"time"

	"gleapsync/internal/push"
	"gleapsync/internal/runs"
)

// push sends the plan.
func (r *Runner) push(ctx context.Context, w *work, report *runs.Report) (*push.Result, error) {
	o := r.pushOptions()
	if w.names != nil {
		o.Events = push.Events{Batch: o.Events.Batch, Entered: w.names.Entered, Exited: w.names.Exited, Computed: w.names.Computed}
	}
	if r.o.Deliveries.IsKept() {
		log, err := r.o.Deliveries.Open(report.Run)
		if err != nil {
			return nil, err
		}
		defer log.Close()
		o.Deliveries = log
	}
	result, err := push.Run(ctx, o, w.toPush(report), report)
	return &result, err
}

// assume takes the plan as delivered. Nothing is sent.
func (r *Runner) assume(ctx context.Context, w *work, report *runs.Report) (*push.Result, error) {
	return nil, push.Assume(ctx, r.pushOptions(), w.toPush(report), report)
}

func (r *Runner) pushOptions() push.Options {
	e := &r.o.Events
	return push.Options{
		Client: r.client, Ledger: r.ledger, Store: r.store, Concurrency: r.o.Concurrency, Memory: r.o.Memory,
		Events:  push.Events{Batch: e.Batch, Entered: e.Entered, Exited: e.Exited, Computed: e.Computed},
		Replica: r.o.Replica, Slice: sliceOf(r.o.Rate, r.o.Window),
		Log: r.log, Meter: r.meter, Now: r.now,
	}
}

// sliceOf returns how many contacts are sent to in two minutes, 0 if there is no limit.
func sliceOf(rate int, window time.Duration) int {
	if window <= 0 || rate <= 0 {
		return 0
	}
	return max(100, int(int64(rate)*int64(2*time.Minute)/int64(window)))
}
