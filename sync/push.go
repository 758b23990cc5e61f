package sync

import (
	"context"
	"time"

	"gleapsync/internal/push"
	"gleapsync/internal/runs"
)

// push sends the plan.
func (c *carrier) push(ctx context.Context, w *work, report *runs.Report) (*push.Result, error) {
	o := c.pushOptions()
	if w.names != nil {
		o.Events = push.Events{Batch: o.Events.Batch, Entered: w.names.Entered, Exited: w.names.Exited, Computed: w.names.Computed}
	}
	if c.o.Deliveries.IsKept() {
		log, err := c.o.Deliveries.Open(report.Run)
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
func (c *carrier) assume(ctx context.Context, w *work, report *runs.Report) (*push.Result, error) {
	return nil, push.Assume(ctx, c.pushOptions(), w.toPush(report), report)
}

func (c *carrier) pushOptions() push.Options {
	e := &c.o.Events
	var memory int64
	if c.o.Alone {
		memory = c.o.Memory
	}
	return push.Options{
		Client: c.client, Ledger: c.ledger, Store: c.store, Concurrency: c.o.Concurrency, Memory: memory,
		Events:  push.Events{Batch: e.Batch, Entered: e.Entered, Exited: e.Exited, Computed: e.Computed},
		Replica: c.o.Replica, Slice: sliceOf(c.o.Rate, c.o.Window),
		Log: c.log, Meter: c.meter, Now: c.now,
	}
}

// sliceOf returns how many contacts are sent to in two minutes, 0 if there is no limit.
func sliceOf(rate int, window time.Duration) int {
	if window <= 0 || rate <= 0 {
		return 0
	}
	return max(100, int(int64(rate)*int64(2*time.Minute)/int64(window)))
}
