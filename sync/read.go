package sync

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
)

// open finds the exports' inputs, and what their wildcards stand for.
func (p *plan) open(ctx context.Context, request Request) error {
	_, budget := p.readers(max(1, len(p.exports)))
	for _, e := range p.exports {
		if !e.isChosen(request) {
			continue
		}
		e.Log = func(line string) { p.runner.log.Info("a command says", "command", e.Source, "line", line) }
		e.Progress, e.Sorting = p.runner.meter.Add, sorting(budget, &p.memory, p.runner.temp)
		if e.source, e.openErr = e.Open(ctx); e.openErr == nil {
			e.dated = dateOf(e.source.AsOf(), p.runner.now())
		}
	}
	if err := p.readHeaders(ctx); err != nil {
		return err
	}
	for _, e := range p.exports {
		if !e.isChosen(request) {
			continue
		}
		err := e.openErr
		switch {
		case e.Changes:
			err = cmp.Or(p.openChanges(e, request), err)
		case len(e.Wildcards) > 0:
			p.resolve(e, request)
		}
		if err != nil {
			e.refuse(err)
		}
		if e.read != nil {
			p.judge(e)
		}
		if len(request.Only) == 0 && !e.Changes {
			p.holdPatterns(e)
		}
	}
	return nil
}

// skipUnchanged decides which exports need not be read.
func (p *plan) skipUnchanged(now time.Time, request Request) {
	anyChanged := false
	for _, e := range p.exports {
		if e.source == nil {
			continue
		}
		if !e.Changes {
			e.fingerprint, e.former = p.fingerprint(e)
		}
		e.missing = e.missingParts()
		for _, a := range e.attributes {
			applied := a.applied
			if e.Changes { // an older file that comes late is no older export
				applied.AsOf = time.Time{}
			}
			if reason := checkAge(e.asOf, applied, e.MaxAge, now); reason != "" {
				a.hold(reason)
			} else if a.chosen && e.isApplied(a) && !p.resyncing() && !p.resend && a.status == runs.StatusApplied && !e.pending && !p.isUnanswered(a.id) && !a.isDue(now) {
				a.status = runs.StatusUnchanged
			}
		}
		anyChanged = anyChanged || e.usable() || e.hasUnknown(request)
	}
	if !anyChanged {
		return
	}
	// Something will be planned. A contact's fields come from all exports together, and
	// what was refused for a parked contact is known as a whole only, so these need the
	// unchanged exports too.
	for _, a := range p.attributes {
		if a.status == runs.StatusUnchanged && (len(p.parked) > 0 || a.applied.HasFields) {
			a.status = runs.StatusApplied
		}
	}
}

// fingerprint identifies an export's content and all settings that matter for what
// is made of it, "" if only reading it can tell.
func (p *plan) fingerprint(e *export) (fingerprint, former string) {
	source, formerSource := e.source.Fingerprint(e.Attributes)
	if source == "" || e.source.Once() && len(e.unfit) > 0 { // only reading finds again what cannot be an attribute
		return "", ""
	}
	of := func(source string, unfit []string) string {
		settings := fmt.Appendf(nil, "%s %v %v %v", source, e.KeepAbsent, e.ClearMissing, p.runner.o.Fields)
		if len(e.Damping) > 0 {
			settings = fmt.Appendf(settings, " %v", e.Damping)
		}
		if len(unfit) > 0 {
			settings = fmt.Appendf(settings, " %q", unfit)
		}
		h := sha256.Sum256(settings)
		return hex.EncodeToString(h[:16])
	}
	return of(source, e.unfit), of(formerSource, nil)
}

// read reads and sorts all exports that are needed, some at a time.
func (p *plan) read(ctx context.Context, request Request) error {
	var needed []*export
	for _, e := range p.exports {
		if e.source != nil && e.rows == nil && (e.usable() || e.Changes && e.refused == nil && e.hasUnknown(request)) {
			needed = append(needed, e)
		}
	}
	if len(needed) == 0 {
		return ctx.Err() // to find the exports takes time too
	}
	workers, budget := p.readers(len(needed))
	ahead := make(chan struct{})
	go func() { p.runner.store.ReadAhead(); close(ahead) }()
	defer func() { <-ahead }()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, e := range needed {
		e.rows = extsort.New(budget, &p.memory, p.runner.temp)
		group.Go(func() error {
			if e.Changes {
				return p.readChanges(ctx, e)
			}
			return p.readExport(ctx, e)
		})
	}
	return group.Wait()
}

// readers returns how many of so many exports are read at a time, and the memory for each.
func (p *plan) readers(exports int) (workers int, budget int64) {
	workers = min(runtime.GOMAXPROCS(0), exports)
	return workers, p.runner.o.Memory / int64(4*workers)
}

// readExport sorts one export's rows. What is wrong with the export holds it; an
// error is one of the run.
func (p *plan) readExport(ctx context.Context, e *export) error {
	err, failed := p.sortRows(ctx, e, nil)
	if err != nil {
		e.refuse(err)
	} else if failed == nil {
		p.judge(e)
	}
	return failed
}

// sortRows sorts one export's rows into e.rows. err is what is wrong with the export, which
// then has no rows; failed is an error of the run. choose, if there is one, tells what is
// read, see [engage.Source.ReadChosen].
func (p *plan) sortRows(ctx context.Context, e *export, choose func(columns []string) []engage.Attribute) (err, failed error) {
	var payload []byte
	add := func(userID []byte, cells []attr.Value) error {
		payload = appendCells(payload[:0], cells)
		failed = e.rows.Add(userID, payload)
		return failed
	}
	if choose != nil {
		e.result, err = e.source.ReadChosen(ctx, choose, add)
	} else {
		e.result, err = e.source.Read(ctx, e.Attributes, add)
	}
	if sort := (*engage.SortError)(nil); errors.As(err, &sort) {
		failed = cmp.Or(failed, sort.Err)
	}
	if failed != nil || ctx.Err() != nil {
		return nil, cmp.Or(failed, ctx.Err())
	}
	if err != nil {
		e.rows.Close()
		e.rows = nil
		return err, nil
	}
	return nil, e.rows.Finish()
}

// judge decides what becomes of the attributes of an export that was read.
func (p *plan) judge(e *export) {
	for i, a := range e.attributes {
		r := e.result.Attributes[i]
		if r.Err != nil {
			a.hold(r.Err.Error())
		}
		for _, share := range e.result.Shares(r) {
			if reason := checkInvalid(share.Invalid, share.Of, p.runner.o.Guard.MaxInvalid); reason != "" {
				a.hold(reason + a.misfit(r.Invalid))
			}
		}
		a.decideType(r.Fits)
	}
}

// readersBuffer is the size of the buffers with which runs are read by so many passes, so
// that all of them together stay within a quarter of the memory.
func (p *plan) readersBuffer(passes int) int {
	runs := 1
	for _, e := range p.exports {
		if e.rows != nil {
			runs += e.rows.Spilled()
		}
	}
	for _, t := range p.tracks {
		if t.rows != nil {
			runs += t.rows.Spilled()
		}
	}
	return int(min(64<<10, max(32<<10, p.runner.o.Memory/4/int64(runs*passes))))
}

// sorting returns what an export is sorted with that has to be before it can be read, for who
// has that much memory for one export.
func sorting(budget int64, memory *extsort.Memory, temp extsort.CreateTemp) engage.Sorting {
	return engage.Sorting{Budget: budget / 2, Memory: memory, Temp: temp} // there are two tables
}

// roomFor returns how much of so many bytes may be reserved: a quarter is for exports while
// they are read, the rest for what is kept of them afterwards.
func roomFor(bytes int64) int64 { return bytes - bytes/4 }
