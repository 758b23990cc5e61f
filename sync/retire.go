package sync

import (
	"cmp"
	"context"

	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
)

// Baseline takes what Sync would send as delivered, and sends nothing: for projects
// that something else has filled before.
func (r *Runner) Baseline(ctx context.Context, request inputs.Request) (runs.Report, error) {
	request.Assume = true
	return r.run(ctx, "baseline", r.planned("baseline", request), r.assume)
}

// PlanBaseline says what Baseline would take as delivered, and changes nothing.
func (r *Runner) PlanBaseline(ctx context.Context, request inputs.Request) (runs.Report, error) {
	if o, err := r.store.Overview(); err != nil || o.Epoch > 1 && o.Resynced < o.Epoch {
		return runs.Report{}, cmp.Or(err, errResyncing)
	}
	request.Assume = true
	return r.Plan(ctx, request)
}

// Retire tells the members of an attribute that no export feeds any more that they have
// left it, or sets a trait to null, and then forgets the attribute. What is left over is
// for the next run, of Sync too.
func (r *Runner) Retire(ctx context.Context, key string) (runs.Report, error) {
	if err := r.mayRetire(ctx, key); err != nil {
		return runs.Report{}, err
	}
	return r.run(ctx, "retire", r.planned("retire", inputs.Request{Retire: key}), r.push)
}

// PlanRetire says what Retire would do, and changes nothing.
func (r *Runner) PlanRetire(ctx context.Context, key string) (runs.Report, error) {
	if err := r.mayRetire(ctx, key); err != nil {
		return runs.Report{}, err
	}
	return r.Plan(ctx, inputs.Request{Retire: key})
}

// mayRetire returns an error if the attribute of a key would come back, or is not known.
func (r *Runner) mayRetire(ctx context.Context, key string) error {
	b, err := r.read(r.now(), inputs.Request{})
	if err != nil {
		return err
	}
	return inputs.New(b).CheckRetired(ctx, key)
}
