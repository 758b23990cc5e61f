package replica

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"gleapsync/internal/bucket"
	"gleapsync/state"
)

// Options say where a replica is.
type Options struct {
	Address bucket.Address // its key is the folder
	State   state.Options  // the local state
	Command string         // of the one who asks, for others to see
	Replace bool           // the local state is about to be replaced: that it is not what the bucket has is no error
	Log     *slog.Logger
	// First is done before a snapshot of a state counts, once it is clear what is in it: for what
	// has to be elsewhere before anybody else gets the state. May be nil.
	First func(context.Context, *state.Store) error

	// The zero values stand for what is usual; tests have no time for that.
	TTL      time.Duration    // how long a lease holds
	Margin   time.Duration    // how wrong the clocks of two machines may be together
	Renew    time.Duration    // how often it is renewed
	Patience time.Duration    // how long it is tried to keep a snapshot
	Now      func() time.Time // the wall clock
}

func (o Options) withDefaults() Options {
	o.TTL = cmp.Or(o.TTL, 2*time.Minute)
	o.Margin = cmp.Or(o.Margin, 2*time.Minute)
	o.Renew = cmp.Or(o.Renew, o.TTL/6)
	o.Patience = cmp.Or(o.Patience, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Name is what people call the replica.
func (o Options) Name() string { return o.Address.Name(o.Address.Key) }
