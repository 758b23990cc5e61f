//go:build !nocloud

package replica

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
	"gleapsync/internal/s3test"
	"gleapsync/state"
)

// TestSize: a run without changes moves its report, one with 1 % changes all over the contacts
// at most 5 % of the file, in as many slices as it has.
func TestSize(t *testing.T) {
	t.Parallel()
	contacts := rounds.Of(100_000, 2_000_000)
	const attributes = 5
	m := newMachine(t, s3test.Start(t).URL("acme"))
	h := m.hold()
	s, release := m.open()
	var all []state.Attribute
	for id := range uint32(attributes) {
		all = append(all, state.Attribute{ID: id, Key: fmt.Sprint("a", id), Name: fmt.Sprint("a", id), Kind: "audience"})
	}
	all[0].Key, all[0].Name = "vip", "vip"
	if err := s.Begin(all, 1, nil); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	ack := func(u int) state.Acknowledgement {
		a := state.Acknowledgement{UserID: idOf(u), At: time.Now(), Last: true}
		for id := range uint32(attributes) {
			a.Attributes = append(a.Attributes, state.Change{ID: id, Value: attr.OfBool(random.IntN(2) == 0)})
		}
		return a
	}
	for u := 0; u < contacts; {
		var d state.Delivery
		for ; u < contacts && len(d.Acks) < 50_000; u++ {
			d.Acks = append(d.Acks, ack(u))
		}
		if _, err := s.Commit(d); err != nil {
			t.Fatal(err)
		}
	}
	release()
	end := func(what string) (moved int64) {
		t.Helper()
		began := time.Now()
		if err := h.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes moved, file of %d; the last snapshot took %s", what, h.moved, h.manifest.Size, time.Since(began).Round(time.Millisecond))
		return h.moved
	}
	end("first")
	size := h.manifest.Size

	h = m.hold()
	s, release = m.open()
	if err := s.Finish(state.Result{Run: "20260101-000000", Report: make([]byte, 1000)}); err != nil {
		t.Fatal(err)
	}
	release()
	if moved := end("no change"); moved > 4000 {
		t.Errorf("a run without changes moved %d bytes", moved)
	}

	h = m.hold()
	s, release = m.open()
	changed := random.Perm(contacts)[:contacts/100]
	for i := 0; i < len(changed); i += 2000 {
		slice := changed[i:min(i+2000, len(changed))]
		var next []state.Announced
		var d state.Delivery
		for _, u := range slice {
			a := ack(u)
			d.Acks = append(d.Acks, a)
			next = append(next, state.Announced{Unanswered: state.Unanswered{UserID: a.UserID, Attributes: a.Attributes}})
		}
		if err := h.Keep(t.Context(), s, next); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(d); err != nil {
			t.Fatal(err)
		}
	}
	release()
	if moved := end("1 %"); moved > size/20 {
		t.Errorf("1 %% changes moved %d bytes of a file of %d", moved, size)
	}
	m.vanish()
	began := time.Now()
	h = m.hold()
	t.Logf("another machine has it after %s", time.Since(began).Round(time.Millisecond))
	if err := h.End(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// idOf is an id as Segment's are, without an order.
func idOf(u int) []byte {
	return fmt.Appendf(nil, "%016x%08x", binary.BigEndian.Uint64([]byte(fmt.Sprintf("%08d", u)))*0x9e3779b97f4a7c15, u)
}
