package deliveries

import (
	"context"
	"fmt"
	"time"
)

// Place is where a log is: in a folder, or in a bucket. The zero value keeps none.
type Place struct {
	Dir    string        // "": it is in a bucket, or nowhere
	Bucket *Bucket       // nil: it is in a folder, or nowhere
	Keep   time.Duration // 0: for ever
}

// Writer takes the deliveries of a run: a [Log], or the spool of a bucket.
type Writer interface {
	Append([]Delivery) error
	Close() error
}

// IsKept reports whether there is a log.
func (p Place) IsKept() bool { return p.Dir != "" || p.Bucket != nil }

// Open opens the log for the calls of a run.
func (p Place) Open(run string) (Writer, error) {
	if p.Bucket != nil {
		return p.Bucket.open(run)
	}
	return Open(p.Dir, p.Keep, run)
}

// Read is [Read], wherever the log is.
func (p Place) Read(ctx context.Context, q Query, yield func(Delivery) error) error {
	if p.Bucket == nil {
		return Read(ctx, p.Dir, q, yield)
	}
	pieces, err := p.Bucket.pieces(ctx, q.Since)
	if err != nil {
		return fmt.Errorf("the log of deliveries: %w", err)
	}
	return q.read(ctx, pieces, readAtOnce, yield)
}

// Begins returns the first day of the log, "" if there is none.
func (p Place) Begins(ctx context.Context) (day string, err error) {
	if p.Bucket == nil {
		return Begins(p.Dir)
	}
	pieces, err := p.Bucket.pieces(ctx, time.Time{})
	if err != nil {
		return "", fmt.Errorf("the log of deliveries: %w", err)
	}
	if len(pieces) == 0 {
		return "", nil
	}
	return pieces[0].day, nil
}

// Forget takes all deliveries to these contacts out of the log, and says how many there were.
// Nothing may be written to it meanwhile. Parts that a bucket does not let go are a [*StillError].
func (p Place) Forget(ctx context.Context, userIDs []string) (forgotten int, err error) {
	switch {
	case p.Bucket != nil:
		return p.Bucket.forget(ctx, userIDs)
	case p.Dir != "":
		return Forget(p.Dir, userIDs)
	}
	return 0, nil
}

// Ship puts what the local disk has into the bucket, if the log is in one, without the lines
// about contacts that are forgotten; forgotten may be nil.
func (p Place) Ship(ctx context.Context, forgotten func(userID string) bool) error {
	if p.Bucket == nil {
		return nil
	}
	return p.Bucket.ship(ctx, forgotten)
}

// Expire removes from the bucket what is too old, if the log is in one.
func (p Place) Expire(ctx context.Context, now time.Time) error {
	if p.Bucket == nil || p.Keep == 0 {
		return nil
	}
	return p.Bucket.expire(ctx, p.Keep, now)
}
