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

// ParkedGroup is the parked contacts, or events, with the same answer.
type ParkedGroup struct {
	Status int
	Reason string
	N      int
	Names  []string  // of the events, each once
	First  time.Time // when the first contact was parked; of events: when the oldest happened
	Last   time.Time // when the last of them was tried
}

// groups puts what is parked with the same answer together.
type groups struct {
	all []ParkedGroup
	at  map[answer]int
}

type answer struct {
	status int
	reason string
}

// add adds what got an answer to its group, and returns that.
func (g *groups) add(a answer, first, last time.Time) *ParkedGroup {
	n, ok := g.at[a]
	if !ok {
		if g.at == nil {
			g.at = map[answer]int{}
		}
		n, g.at[a] = len(g.all), len(g.all)
		g.all = append(g.all, ParkedGroup{Status: a.status, Reason: a.reason, First: first})
	}
	group := &g.all[n]
	group.N++
	if first.Before(group.First) {
		group.First = first
	}
	if last.After(group.Last) {
		group.Last = last
	}
	return group
}

// largestFirst returns the groups in their order.
func (g *groups) largestFirst() []ParkedGroup {
	slices.SortStableFunc(g.all, func(a, b ParkedGroup) int { return cmp.Compare(b.N, a.N) })
	return g.all
}

// GroupParked puts parked contacts with the same answer together, the largest group first.
func GroupParked(parked []ParkedContact) []ParkedGroup {
	var g groups
	for _, p := range parked {
		g.add(answer{p.Status, p.Reason}, p.First, p.Last)
	}
	return g.largestFirst()
}

// GroupParkedEvents puts parked events with the same answer together, the largest group first.
func GroupParkedEvents(parked []ParkedEvent) []ParkedGroup {
	var g groups
	for _, p := range parked {
		group := g.add(answer{p.Status, p.Reason}, p.Date, p.Last)
		if !slices.Contains(group.Names, p.Name) {
			group.Names = append(group.Names, p.Name)
		}
	}
	return g.largestFirst()
}
