//go:build !nocloud

package replica

import (
	"context"
	"errors"
	"testing"
	"time"

	"gleapsync/internal/s3test"
	"gleapsync/state"
)

// What was sent last and is not in the bucket counts against the limit: nobody begins at once.
func TestEndFails(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	a, b := newMachine(t, server.URL("acme")), newMachine(t, server.URL("acme"))
	refused := error(nil)
	a.First = func(context.Context, *state.Store) error { return refused }
	h := a.hold()
	s, release := a.open()
	if err := h.Keep(t.Context(), s, announced("u1")); err != nil {
		t.Fatal(err)
	}
	refused = errors.New("no room")
	tell(t, s, map[string]bool{"u1": true})
	release()
	if err := h.End(t.Context()); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if taken, err := Hold(t.Context(), b.Options); !errors.As(err, new(*state.LockedError)) {
		t.Errorf("it begins at once, and does not know what was sent in the last minute: %v", err)
		_ = taken.End(t.Context())
	}
	refused = nil
	if err := a.hold().End(t.Context()); err != nil { // here it is kept
		t.Fatal(err)
	}
	b.Now = func() time.Time { return time.Now() }
	taken := b.hold()
	defer taken.End(t.Context())
	records, _ := b.known()
	equal(t, "records", records, map[string]bool{"u1": true})
}
