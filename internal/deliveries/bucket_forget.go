package deliveries

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gleapsync/internal/bucket"
)

// StillError says that contacts are still in parts that the bucket does not let go.
type StillError struct {
	Parts []error // each begins with the name of a part
}

func (e *StillError) Error() string {
	const most = 3
	var texts []string
	for _, part := range e.Parts[:min(len(e.Parts), most)] {
		texts = append(texts, part.Error())
	}
	if more := len(e.Parts) - most; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return "the log of deliveries still has them: what cannot be written holds their lines until it may be removed; forget them again then: " + strings.Join(texts, "; ")
}

// forget takes contacts out of the spool and of all parts. That a part cannot be written is no
// reason to leave them in the others.
func (b *Bucket) forget(ctx context.Context, userIDs []string) (forgotten int, err error) {
	isOf := about(userIDs)
	here, err := b.spooled()
	if err != nil {
		return 0, fmt.Errorf("the log of deliveries: %w", err)
	}
	at, err := b.address.Open(ctx)
	if err != nil {
		return 0, fmt.Errorf("the log of deliveries: %w", b.fail(err))
	}
	there, err := b.parts(ctx, at, "")
	if err != nil {
		return 0, fmt.Errorf("the log of deliveries: %w", err)
	}
	for _, name := range here {
		n, err := forgetFile(b.path(name), isOf)
		forgotten += n
		if err != nil {
			return forgotten, fmt.Errorf("the log of deliveries: %w", err)
		}
	}
	var still StillError
	for _, name := range there {
		n, err := b.forgetPart(ctx, at, name, isOf)
		forgotten += n
		switch {
		case ctx.Err() != nil:
			return forgotten, context.Cause(ctx)
		case err != nil:
			still.Parts = append(still.Parts, err)
		}
	}
	if len(still.Parts) > 0 {
		return forgotten, &still
	}
	return forgotten, nil
}

func forgetFile(path string, isOf func(line []byte) bool) (forgotten int, err error) {
	lines, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	kept, forgotten := without(lines, isOf)
	if forgotten == 0 {
		return 0, nil
	}
	return forgotten, replace(path, func(w io.Writer) error { _, err := w.Write(kept); return err })
}

// forgetPart writes a part anew, also if nothing is left of it: a spool elsewhere may have it
// still, and puts what is not there.
func (b *Bucket) forgetPart(ctx context.Context, at *bucket.Bucket, name string, isOf func(line []byte) bool) (forgotten int, failed error) {
	const tries = 3 // somebody else may forget somebody else
	for range tries {
		lines, version, err := b.get(ctx, at, name)
		if errors.Is(err, bucket.ErrNotFound) { // it was too old just now
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		kept, forgotten := without(lines, isOf)
		if forgotten == 0 {
			return 0, nil
		}
		packed, err := pack(kept)
		if err != nil {
			return 0, err
		}
		_, err = at.Put(ctx, b.key(name), packed, bucket.Condition{Version: version})
		if err == nil {
			return forgotten, nil
		}
		if err = fmt.Errorf("%s: %w", at.Name(b.key(name)), err); !errors.Is(err, bucket.ErrCondition) {
			return 0, err
		}
		failed = err
	}
	return 0, failed
}

// without returns the whole lines that are not of a kind, and how many are.
func without(lines []byte, isOf func(line []byte) bool) (kept []byte, n int) {
	_ = linesOf(lines[:bytes.LastIndexByte(lines, '\n')+1], func(line []byte) error {
		if isOf(line) {
			n++
			return nil
		}
		kept = append(append(kept, line...), '\n')
		return nil
	})
	return kept, n
}

// about returns a function that tells which lines are about contacts. Nobody knows whom a broken
// line is about: one that may be is.
func about(userIDs []string) func(line []byte) bool {
	q, ids := Query{UserIDs: userIDs}, needles(userIDs)
	return func(line []byte) bool {
		if !mayHave(line, ids) {
			return false
		}
		var d Delivery
		return json.Unmarshal(line, &d) != nil || q.asksFor(&d)
	}
}
