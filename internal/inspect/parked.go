package inspect

import (
	"cmp"
	"slices"
	"time"

	"gleapsync/state"
)

// ParkedContact is a contact whose call Gleap refused for good.
type ParkedContact struct {
	UserID string `json:"user_id"`
	state.Parked
}

// Parked returns the parked contacts in the order of their ids.
func (v *View) Parked() ([]ParkedContact, error) {
	parked, err := v.store.Parked()
	all := []ParkedContact{}
	for _, p := range parked {
		all = append(all, ParkedContact{p.UserID, p})
	}
	return all, err
}

// ParkedGroup is the parked contacts with the same answer.
type ParkedGroup struct {
	Status  int
	Reason  string
	UserIDs []string
	First   time.Time // when the first of them was parked
	Last    time.Time // when the last of them was tried
}

// GroupParked puts parked contacts with the same answer together, the largest group first.
func GroupParked(parked []ParkedContact) []ParkedGroup {
	type answer struct {
		status int
		reason string
	}
	var groups []ParkedGroup
	at := map[answer]int{}
	for _, p := range parked {
		n, ok := at[answer{p.Status, p.Reason}]
		if !ok {
			n = len(groups)
			at[answer{p.Status, p.Reason}] = n
			groups = append(groups, ParkedGroup{Status: p.Status, Reason: p.Reason, First: p.First})
		}
		g := &groups[n]
		g.UserIDs = append(g.UserIDs, p.UserID)
		if p.First.Before(g.First) {
			g.First = p.First
		}
		if p.Last.After(g.Last) {
			g.Last = p.Last
		}
	}
	slices.SortStableFunc(groups, func(a, b ParkedGroup) int { return cmp.Compare(len(b.UserIDs), len(a.UserIDs)) })
	return groups
}
