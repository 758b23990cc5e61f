package push

import (
	"context"
	"errors"
	stdsync "sync"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/state"
)

// fakeReplica knows what it was given to keep. Its n-th Keep fails as it is told.
type fakeReplica struct {
	mu     stdsync.Mutex
	slices [][]string
	kept   map[string]int // contacts, by what the state knew when they were kept last
	fails  func(n int) error
}

func (r *fakeReplica) Keep(ctx context.Context, s *state.Store, next []state.Announced) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, err := s.Overview()
	if err != nil {
		return err
	}
	if r.fails != nil {
		if err := r.fails(len(r.slices)); err != nil {
			return err
		}
	}
	var slice []string
	for _, a := range next {
		slice = append(slice, string(a.UserID))
		r.kept[string(a.UserID)] = o.Attributes[0].Members
		if len(a.Attributes) != 1 || !a.Attributes[0].Value.Equal(attr.OfBool(true)) {
			return errors.New("a slice without what is to be sent")
		}
	}
	r.slices = append(r.slices, slice)
	return ctx.Err()
}

// TestSlices: nothing is sent that no slice had, a slice has what is open and no more than that
// of one slice before, and all come to their turn.
func TestSlices(t *testing.T) {
	gleapFake := &fakeGleap{}
	o, plan, report := newPush(t, 1000, gleapFake)
	r := &fakeReplica{kept: map[string]int{}}
	o.Replica, o.Slice = r, 100
	client := &keptClient{fakeGleap: gleapFake, replica: r}
	o.Client = client
	result, err := Run(t.Context(), o, plan, report)
	if err != nil || !result.Delivered || report.Contacts.Sent != 1000 {
		t.Fatalf("%v, %+v", err, report.Contacts)
	}
	if len(client.early) > 0 {
		t.Errorf("sent before they were kept: %v", client.early)
	}
	if len(r.slices) < 10 {
		t.Errorf("%d slices", len(r.slices))
	}
	for _, s := range r.slices {
		if len(s) > 200 {
			t.Errorf("a slice of %d", len(s))
		}
	}
}

// keptClient sees that a contact was kept before it is called.
type keptClient struct {
	*fakeGleap
	replica *fakeReplica
	mu      stdsync.Mutex
	early   []string
}

func (c *keptClient) Identify(ctx context.Context, contact *gleap.Contact) error {
	c.replica.mu.Lock()
	_, ok := c.replica.kept[string(contact.UserID)]
	c.replica.mu.Unlock()
	if !ok {
		c.mu.Lock()
		c.early = append(c.early, string(contact.UserID))
		c.mu.Unlock()
	}
	return c.fakeGleap.Identify(ctx, contact)
}

// TestSliceFails: what cannot be kept is not sent, and what was sent of the slices before is
// committed.
func TestSliceFails(t *testing.T) {
	full := errors.New("the bucket is full")
	for fails := range 3 {
		gleapFake := &fakeGleap{}
		o, plan, report := newPush(t, 300, gleapFake)
		r := &fakeReplica{kept: map[string]int{}, fails: func(n int) error {
			if n == fails {
				return full
			}
			return nil
		}}
		o.Replica, o.Slice = r, 100
		_, err := Run(t.Context(), o, plan, report)
		if !errors.Is(err, full) {
			t.Errorf("after %d slices: %v", fails, err)
		}
		if gleapFake.n > 100*fails || report.Contacts.Sent != gleapFake.n {
			t.Errorf("after %d slices: %d were sent, %d are committed", fails, gleapFake.n, report.Contacts.Sent)
		}
	}
}
