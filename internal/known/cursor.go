package known

import (
	"bytes"
	"context"
	"fmt"

	"gleapsync/internal/extsort"
)

// Cursor asks the lists for contacts that come in the order of the user ids.
type Cursor struct {
	ids            extsort.Stream
	id             []byte // that the stream is at
	started, ended bool
}

// Cursor returns a cursor over a span of the user ids, which reads with buffers of that size.
func (l *Lists) Cursor(span extsort.Span, buffer int) *Cursor {
	sorters := l.Sorters()
	var streams []extsort.Stream
	for _, s := range sorters {
		streams = append(streams, s.Stream(span, buffer))
	}
	return &Cursor{ids: extsort.NewMerger(streams, extsort.Shared(sorters))}
}

// Has reports whether a list has a contact. None that was asked for before comes behind it.
func (c *Cursor) Has(userID []byte) (bool, error) {
	for !c.ended && (!c.started || bytes.Compare(c.id, userID) < 0) {
		if err := c.advance(); err != nil {
			return false, err
		}
	}
	return !c.ended && bytes.Equal(c.id, userID), nil
}

// advance goes on to the next id. An id that cannot be read must not look like one that no list has.
func (c *Cursor) advance() error {
	id, _, ok := c.ids.Next()
	if !ok {
		c.ended = true
		return c.ids.Err()
	}
	if c.started && bytes.Compare(id, c.id) < 0 {
		return fmt.Errorf("%w: its user ids are not in their order", extsort.ErrTemp)
	}
	c.started, c.id = true, append(c.id[:0], id...)
	return nil
}

// Why a contact without a record is left out.
const (
	NotListed = "not in the list of known contacts"
	ListHeld  = "a list of known contacts is held, and nobody new is created because of it"
)

// Ask reads lists, and returns why a contact without a record would be left out, "" if it would
// not be.
func Ask(ctx context.Context, o Options, userID string) (string, error) {
	lists, err := Read(ctx, o)
	defer func() { lists.Close() }()
	if err != nil || lists == nil {
		return "", err
	}
	span := extsort.Span{From: []byte(userID), To: append([]byte(userID), 0)}
	has, err := lists.Cursor(span, 32<<10).Has([]byte(userID))
	switch {
	case err != nil || has:
		return "", err
	case lists.Held():
		return ListHeld, nil
	}
	return NotListed, nil
}
