package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"gleapsync/engage"
	"gleapsync/internal/runs"
)

var errResyncing = errors.New("a full resync is not complete: a baseline would end it with contacts that were not sent again, so run sync first")

// Baseline takes what Sync would send as delivered, and sends nothing: for projects
// that something else has filled before.
func (r *Runner) Baseline(ctx context.Context, request Request) (runs.Report, error) {
	request.assume = true
	return r.run(ctx, "baseline", r.planned("baseline", request), r.assume)
}

// PlanBaseline says what Baseline would take as delivered, and changes nothing.
func (r *Runner) PlanBaseline(ctx context.Context, request Request) (runs.Report, error) {
	if o, err := r.store.Overview(); err != nil || o.Epoch > 1 && o.Resynced < o.Epoch {
		return runs.Report{}, cmp.Or(err, errResyncing)
	}
	request.assume = true
	return r.Plan(ctx, request)
}

// Retire tells the members of an attribute that no export feeds any more that they have
// left it, or sets a trait to null, and then forgets the attribute. What is left over is
// for the next run, of Sync too.
func (r *Runner) Retire(ctx context.Context, key string) (runs.Report, error) {
	if err := r.mayRetire(ctx, key); err != nil {
		return runs.Report{}, err
	}
	return r.run(ctx, "retire", r.planned("retire", Request{retire: key}), r.push)
}

// PlanRetire says what Retire would do, and changes nothing.
func (r *Runner) PlanRetire(ctx context.Context, key string) (runs.Report, error) {
	if err := r.mayRetire(ctx, key); err != nil {
		return runs.Report{}, err
	}
	return r.Plan(ctx, Request{retire: key})
}

// mayRetire returns an error if the attribute of a key would come back, or is not known.
func (r *Runner) mayRetire(ctx context.Context, key string) error {
	b, err := recall(r.o, r.store, r.now(), Request{})
	if err != nil {
		return err
	}
	in := r.reading(b)
	if err := in.addExports(); err != nil {
		return err
	}
	if a := in.fed(key); a != nil {
		return fmt.Errorf("the configuration still feeds %s, so the next sync would bring it back: take the %s %q out first", key, a.Kind, a.Name)
	}
	known, err := b.overview.Attribute(key)
	if err != nil {
		return err
	}
	for _, e := range in.exports {
		names := []string{key, known.Name}
		if today, _ := engage.Key(known.Name); today != key && engage.FormerKey(known.Name) == key {
			names = names[1:] // the key is another one's now
		}
		for _, name := range slices.Compact(names) {
			if err := e.bringsBack(ctx, key, name, engage.Kind(known.Kind)); err != nil {
				return err
			}
		}
	}
	return nil
}
