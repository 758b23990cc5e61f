package sync

import (
	"context"

	"gleapsync/engage"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/push"
	"gleapsync/internal/runs"
)

// push sends the plan.
func (r *Runner) push(ctx context.Context, p *plan, report *runs.Report) (*push.Result, error) {
	o := r.pushOptions()
	if d := r.o.Deliveries; d.Dir != "" {
		log, err := deliveries.Open(d.Dir, d.Keep, report.Run)
		if err != nil {
			return nil, err
		}
		defer log.Close()
		o.Deliveries = log
	}
	result, err := push.Run(ctx, o, p.toPush(report.Run), report)
	return &result, err
}

// assume takes the plan as delivered. Nothing is sent.
func (r *Runner) assume(ctx context.Context, p *plan, report *runs.Report) (*push.Result, error) {
	return nil, push.Assume(ctx, r.pushOptions(), p.toPush(report.Run), report)
}

func (r *Runner) pushOptions() push.Options {
	e := &r.o.Events
	return push.Options{
		Client: r.client, Ledger: r.ledger, Store: r.store, Concurrency: r.o.Concurrency, Memory: r.o.Memory,
		Events: push.Events{Batch: e.Batch, Entered: e.Entered, Exited: e.Exited, Computed: e.Computed},
		Log:    r.log, Meter: r.meter, Now: r.now,
	}
}

// toPush returns what the push of a run has to know of the plan.
func (p *plan) toPush(run string) push.Plan {
	attributes := make([]push.Attribute, len(p.byID))
	for id, ref := range p.byID {
		attributes[id] = push.Attribute{Key: ref.key, IsAudience: ref.attribute != nil && ref.attribute.Kind == engage.Audience}
	}
	return push.Plan{
		Run: run, File: &p.file, Attributes: attributes, Epoch: p.epoch, Whole: p.whole(), Events: p.events(),
		Before: p.turns, TakesTurns: p.takesTurns,
		WasParked: p.isParked, WasUnanswered: func(userID []byte) bool { _, was := p.findUnanswered(userID); return was },
	}
}
