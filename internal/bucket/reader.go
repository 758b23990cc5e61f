package bucket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// silence is how long a storage may say nothing.
	silence = 30 * time.Second
	// slowest is how many bytes a second a storage takes at least.
	slowest = 100_000
	// maxRetries is how often the reading of an object goes on after it broke off.
	maxRetries = 6
	firstDelay = 500 * time.Millisecond
	mostDelay  = 10 * time.Second
)

// watch ends a context when a storage is silent for too long.
type watch struct {
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

// newWatch returns a context and its watch, which has begun.
func newWatch(ctx context.Context) (context.Context, watch) { return newWatchFor(ctx, silence) }

// newWatchFor lets the storage be silent for longer at first.
func newWatchFor(ctx context.Context, first time.Duration) (context.Context, watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, watch{time.AfterFunc(first, func() { cancel(errSilent) }), cancel}
}

func (w watch) begin() { w.timer.Reset(silence) }

// pause stops it while nobody waits for the storage.
func (w watch) pause() { w.timer.Stop() }

func (w watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// Reader reads an object. When the connection breaks it goes on where it was, in the same
// version.
type Reader struct {
	ctx     context.Context // of the one who reads: Read has none
	bucket  *Bucket
	object  Object
	offset  int64
	retries int
	err     error // what ended the reading

	// The answer that is being read, nil if there is none.
	body    io.ReadCloser
	bodyCtx context.Context
	watch   watch
}

func (r *Reader) Read(p []byte) (int, error) {
	for r.err == nil {
		n, err := r.readSome(p)
		r.offset += int64(n)
		switch {
		case n > 0:
			return n, nil
		case r.offset == r.object.Size:
			r.err = io.EOF
		case err != nil:
			r.err = r.recover(err)
		}
	}
	return 0, r.err
}

// readSome asks for the rest of the object if nobody did, and reads some of it.
func (r *Reader) readSome(p []byte) (n int, err error) {
	if r.offset == r.object.Size {
		return 0, nil
	}
	if r.body == nil {
		r.bodyCtx, r.watch = newWatch(r.ctx)
		var found Object
		if r.body, found, err = r.bucket.storage.get(r.bodyCtx, r.object, r.offset); err != nil {
			return 0, err
		}
		if found.Version != r.object.Version || found.Size != r.object.Size-r.offset {
			return 0, ErrChanged
		}
	}
	r.watch.begin()
	n, err = r.body.Read(p)
	r.watch.pause()
	return n, err
}

// recover waits before the reading goes on after err. It returns an error if it cannot go
// on.
func (r *Reader) recover(err error) error {
	reason := reason(r.bodyCtx, err)
	r.hangUp()
	var answer *storageError
	switch refused := errors.As(err, &answer) && answer.permanent(); {
	case r.ctx.Err() != nil:
		return context.Cause(r.ctx)
	case errors.Is(err, ErrChanged):
		return ErrChanged
	case refused && (answer.status == http.StatusPreconditionFailed || answer.status == http.StatusNotFound):
		return ErrChanged
	case refused:
		return &Error{reason, err}
	case r.retries == maxRetries:
		return &Error{fmt.Sprintf("the reading broke off %d times, at last since %s", r.retries+1, reason), err}
	}
	select {
	case <-time.After(min(firstDelay<<r.retries, mostDelay)):
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
	r.retries++
	return nil
}

// hangUp ends the answer that is being read.
func (r *Reader) hangUp() {
	if r.bodyCtx == nil {
		return
	}
	r.watch.end()
	if r.body != nil {
		r.body.Close()
	}
	r.body, r.bodyCtx = nil, nil
}

// Close checks that the object did not change while it was read.
func (r *Reader) Close() error {
	r.hangUp()
	if r.offset < r.object.Size {
		return nil // its reader knows that it is not all
	}
	for o, err := range r.bucket.List(r.ctx, r.object.Key) {
		if err != nil {
			return err
		}
		if o.Key == r.object.Key {
			if o.Version == r.object.Version && o.Size == r.object.Size && o.Time.Equal(r.object.Time) {
				return nil
			}
			break
		}
	}
	return fmt.Errorf("%s changed while it was read", r.bucket.Name(r.object.Key))
}
