package inputs

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/kept"
	"gleapsync/internal/keys"
	"gleapsync/state"
)

// Basis is what exports are read for: what is wanted of the run, and what the state says. It does
// not change while a plan is made and carried out.
type Basis struct {
	o          Options
	Request    Request // with the keys that the exports' attributes have
	At         time.Time
	Configured []Export // the exports, with the keys that the state kept

	Overview   state.Overview
	known      map[string]state.Attribute // by key
	DoneFiles  []state.DoneFile           // of change and event exports
	Parked     []state.Parked
	Unanswered []state.Unanswered // what Gleap may have, in the order of the user ids

	Alone  bool   // the run is about a retired attribute only
	Resend bool   // values of the chosen attributes are sent again
	Epoch  uint64 // records of an earlier epoch are sent again as a whole

	state string // the path of the state, beside which the lists of rows lie,
	owner string // and what names it where databases keep them
}

// Recall asks the state for what a plan starts from. What it found so far it returns also
// with an error.
func Recall(o Options, store *state.Store, at time.Time, request Request) (*Basis, error) {
	b := &Basis{o: o, Request: request, At: at, known: map[string]state.Attribute{}, Alone: request.Retire != "", state: store.Path(), owner: store.ID()}
	var err error
	if b.Overview, err = store.Overview(); err != nil {
		return b, err
	}
	if b.Overview.Parked > 0 {
		if b.Parked, err = store.Parked(); err != nil {
			return b, err
		}
	}
	b.Unanswered = b.Overview.Unanswered
	if b.DoneFiles, err = store.Files(); err != nil {
		return b, err
	}
	for _, a := range b.Overview.Attributes {
		if !a.Gone() {
			b.known[a.Key] = a
		}
	}
	b.Configured = keepKeys(o.Exports, b.Overview.Attributes)
	b.Request = request.named(b.Configured)
	b.Epoch = b.Overview.Epoch
	switch {
	case b.Alone:
		b.Epoch = 0 // it is no part of a resync
	case request.Full && len(request.Only) > 0:
		b.Resend = true
	case request.Full && store.Exists():
		b.Epoch++
	}
	return b, nil
}

// LooksAtAll reports whether the run is about all attributes, and about events.
func (b *Basis) LooksAtAll() bool { return !b.Alone && len(b.Request.Only) == 0 }

// Resyncing reports whether some records may have to be sent again as a whole.
func (b *Basis) Resyncing() bool { return b.Epoch > b.Overview.Resynced }

// resends reports whether values are sent again that did not change.
func (b *Basis) resends() bool { return b.Resyncing() || b.Resend }

// remembered returns the attributes of the state that the export's wildcards take and no
// export names.
func (b *Basis) remembered(e *Export) []engage.Attribute {
	return remembered(e, b.Configured, b.Overview.Attributes)
}

func remembered(e *Export, exports []Export, known []state.Attribute) []engage.Attribute {
	return kept.Taken(&e.Export, known, func(key string) bool {
		return slices.ContainsFunc(exports, func(e Export) bool {
			return slices.ContainsFunc(e.Attributes, func(a engage.Attribute) bool { return a.Key == key })
		})
	})
}

// checkKey returns an error if a key cannot be an attribute's. What was delivered before the
// list of reserved names grew goes on.
func (b *Basis) checkKey(key string) error {
	err := keys.Check(key)
	if errors.As(err, new(*keys.ReservedError)) && !b.known[key].Applied.At.IsZero() {
		return nil
	}
	return err
}

// believed returns the time of a change that was stored, that before all others if it cannot
// be: earlier versions took any, and it would win for ever.
func (b *Basis) believed(at int64) int64 {
	const most = 24 * time.Hour // further ahead a change is an invalid row
	if at > b.At.Add(most).UnixNano() {
		return 0
	}
	return at
}

// FindUnanswered returns where a contact stands among the unanswered, or would, and whether
// it does.
func (b *Basis) FindUnanswered(userID []byte) (int, bool) {
	return slices.BinarySearchFunc(b.Unanswered, userID, func(u state.Unanswered, id []byte) int { return bytes.Compare(u.UserID, id) })
}

// unsettled returns the contacts of whom the records may not have what the exports said, although
// these were applied: the parked and the unanswered ones. Some come twice.
func (b *Basis) unsettled() (userIDs [][]byte) {
	for _, c := range b.Parked {
		userIDs = append(userIDs, []byte(c.UserID))
	}
	for _, u := range b.Unanswered {
		userIDs = append(userIDs, u.UserID)
	}
	return userIDs
}

// IsUnsettled reports whether a contact is one of [Basis.unsettled].
func (b *Basis) IsUnsettled(userID []byte) bool {
	_, is := b.FindUnanswered(userID)
	return is || len(b.Parked) > 0 && b.IsParked(string(userID))
}

// isUnanswered reports whether Gleap may have another value of an attribute than the record,
// of any contact.
func (b *Basis) isUnanswered(id uint32) bool {
	return slices.ContainsFunc(b.Unanswered, func(u state.Unanswered) bool {
		return slices.ContainsFunc(u.Attributes, func(c state.Change) bool { return c.ID == id })
	})
}

// FindParked returns where a contact stands among the parked, or would, and whether it does.
func (b *Basis) FindParked(userID string) (int, bool) {
	return slices.BinarySearchFunc(b.Parked, userID, func(c state.Parked, id string) int { return cmp.Compare(c.UserID, id) })
}

// IsParked reports whether a contact was parked before the run.
func (b *Basis) IsParked(userID string) bool {
	_, ok := b.FindParked(userID)
	return ok
}
