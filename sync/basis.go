package sync

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/kept"
	"gleapsync/state"
)

// basis is what a plan starts from: what is wanted, and what the state says. It does not
// change while the plan is made and carried out.
type basis struct {
	o        Options
	request  Request // with the keys that the exports' attributes have
	at       time.Time
	settings []Export // of the exports, with the keys that the state kept

	overview   state.Overview
	known      map[string]state.Attribute // by key
	files      []state.DoneFile           // of change and event exports: those that are done
	parked     []state.Parked
	unanswered []state.Unanswered // what Gleap may have, in the order of the user ids
	forgotten  *state.Forgotten

	full   bool   // asked for
	assume bool   // nothing is sent: parked contacts are taken as delivered too
	alone  bool   // the run is about a retired attribute only
	resend bool   // values of the chosen attributes are sent again
	epoch  uint64 // records of an earlier epoch are sent again as a whole

	turns        state.Turns                  // what the run before left
	takesTurns   bool                         // and the next run goes on behind this one
	fieldsBefore [gleap.LastPageView + 1]bool // contact fields that were delivered before
}

// recall asks the state for what a plan starts from. What it found so far it returns also
// with an error.
func recall(o Options, store *state.Store, at time.Time, request Request) (*basis, error) {
	b := &basis{
		o: o, request: request, at: at, known: map[string]state.Attribute{},
		full: request.Full, assume: request.assume, alone: request.retire != "",
	}
	if request.saved {
		b.o.Tracks = nil
	}
	var err error
	if b.overview, err = store.Overview(); err != nil {
		return b, err
	}
	if b.overview.Parked > 0 {
		if b.parked, err = store.Parked(); err != nil {
			return b, err
		}
	}
	b.unanswered = b.overview.Unanswered
	if b.forgotten, err = store.Forgotten(); err != nil {
		return b, err
	}
	if b.files, err = store.Files(); err != nil {
		return b, err
	}
	for _, a := range b.overview.Attributes {
		if !a.Gone() {
			b.known[a.Key] = a
		}
	}
	b.settings = keepKeys(o.Exports, b.overview.Attributes)
	b.request = request.named(b.settings)
	if b.takesTurns = b.looksAtAll(); b.takesTurns {
		b.turns = b.overview.Turns
	}
	b.epoch = b.overview.Epoch
	switch {
	case b.alone:
		b.epoch = 0 // it is no part of a resync
	case b.full && len(request.Only) > 0:
		b.resend = true
	case b.full && store.Exists():
		b.epoch++
	}
	b.recallFields()
	return b, nil
}

// recallFields finds out which contact fields were delivered before. One counts as delivered
// once an export of it was delivered as a whole, as an attribute does. The state has a list
// of those that were.
func (b *basis) recallFields() {
	for _, f := range b.overview.Fields {
		if int(f) < len(b.fieldsBefore) {
			b.fieldsBefore[f] = true
		}
	}
	if b.overview.Fields != nil || !slices.ContainsFunc(b.overview.Attributes, func(a state.Attribute) bool { return a.Applied.HasFields && !a.Applied.At.IsZero() }) {
		return
	}
	for _, f := range b.o.Fields {
		b.fieldsBefore[f.Field] = true
	}
}

// looksAtAll reports whether the run is about all attributes, and about events.
func (b *basis) looksAtAll() bool { return !b.alone && len(b.request.Only) == 0 }

// resyncing reports whether some records may have to be sent again as a whole.
func (b *basis) resyncing() bool { return b.epoch > b.overview.Resynced }

// resends reports whether values are sent again that did not change.
func (b *basis) resends() bool { return b.resyncing() || b.resend }

// remembered returns the attributes of the state that the export's wildcards take and no
// export names.
func (b *basis) remembered(e *Export) []engage.Attribute {
	return remembered(e, b.settings, b.overview.Attributes)
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
func (b *basis) checkKey(key string) error {
	err := engage.CheckKey(key)
	if errors.As(err, new(*engage.ReservedError)) && !b.known[key].Applied.At.IsZero() {
		return nil
	}
	return err
}

// believed returns the time of a change that was stored, that before all others if it cannot
// be: earlier versions took any, and it would win for ever.
func (b *basis) believed(at int64) int64 {
	const most = 24 * time.Hour // further ahead a change is an invalid row
	if at > b.at.Add(most).UnixNano() {
		return 0
	}
	return at
}

// findUnanswered returns where a contact stands among the unanswered, or would, and whether
// it does.
func (b *basis) findUnanswered(userID []byte) (int, bool) {
	return slices.BinarySearchFunc(b.unanswered, userID, func(u state.Unanswered, id []byte) int { return bytes.Compare(u.UserID, id) })
}

// unsettled returns the contacts of whom the records may not have what the exports said, although
// these were applied: the parked and the unanswered ones. Some come twice.
func (b *basis) unsettled() (userIDs [][]byte) {
	for _, c := range b.parked {
		userIDs = append(userIDs, []byte(c.UserID))
	}
	for _, u := range b.unanswered {
		userIDs = append(userIDs, u.UserID)
	}
	return userIDs
}

// isUnsettled reports whether a contact is one of [basis.unsettled].
func (b *basis) isUnsettled(userID []byte) bool {
	_, is := b.findUnanswered(userID)
	return is || len(b.parked) > 0 && b.isParked(string(userID))
}

// isUnanswered reports whether Gleap may have another value of an attribute than the record,
// of any contact.
func (b *basis) isUnanswered(id uint32) bool {
	return slices.ContainsFunc(b.unanswered, func(u state.Unanswered) bool {
		return slices.ContainsFunc(u.Attributes, func(c state.Change) bool { return c.ID == id })
	})
}

// findParked returns where a contact stands among the parked, or would, and whether it does.
func (b *basis) findParked(userID string) (int, bool) {
	return slices.BinarySearchFunc(b.parked, userID, func(c state.Parked, id string) int { return cmp.Compare(c.UserID, id) })
}

// isParked reports whether a contact was parked before the run.
func (b *basis) isParked(userID string) bool {
	_, ok := b.findParked(userID)
	return ok
}
