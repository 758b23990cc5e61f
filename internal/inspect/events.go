package inspect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gleapsync/state"
)

// Events says which events are due, and which ones Gleap refused.
type Events struct {
	Due    int           `json:"due"`
	Names  []EventName   `json:"names"` // of those that are due
	Parked []ParkedEvent `json:"parked"`
}

// EventName is the events of one name that are due.
type EventName struct {
	Name   string    `json:"name"`
	Due    int       `json:"due"`
	Oldest time.Time `json:"oldest"`
	Newest time.Time `json:"newest"`
}

// ParkedEvent is an event that Gleap refused for good.
type ParkedEvent struct {
	UserID string          `json:"user_id"`
	Name   string          `json:"name"`
	Date   time.Time       `json:"date"`
	Data   json.RawMessage `json:"data"`
	Status int             `json:"status"` // of the answer, in HTTP
	Reason string          `json:"reason"`
	Last   time.Time       `json:"last"` // when it was tried
}

// Events returns the events that are due and those that are parked. It reads all of them.
func (v *View) Events() (Events, error) {
	d := Events{Names: []EventName{}, Parked: []ParkedEvent{}}
	names := map[string]*EventName{}
	for last := (*state.Event)(nil); ; {
		due, err := v.store.Due(last)
		if err != nil {
			return d, err
		}
		if len(due) == 0 {
			break
		}
		last = &due[len(due)-1]
		for n := range due {
			body, err := bodyOf(&due[n])
			if err != nil {
				return d, err
			}
			name, at := body.Name, time.Unix(0, due[n].At).UTC()
			n := names[name]
			if n == nil {
				n = &EventName{Name: name, Oldest: at, Newest: at}
				names[name] = n
			}
			n.Due++
			if at.Before(n.Oldest) {
				n.Oldest = at
			}
			if at.After(n.Newest) {
				n.Newest = at
			}
		}
		d.Due += len(due)
	}
	for _, n := range names {
		d.Names = append(d.Names, *n)
	}
	slices.SortFunc(d.Names, func(a, b EventName) int { return cmp.Or(cmp.Compare(b.Due, a.Due), cmp.Compare(a.Name, b.Name)) })
	var err error
	d.Parked, err = v.ParkedEvents()
	return d, err
}

// ParkedEvents returns the events that are parked, in the order of their contacts' ids.
func (v *View) ParkedEvents() ([]ParkedEvent, error) {
	parked, err := v.store.ParkedEvents()
	all := []ParkedEvent{}
	for _, p := range parked {
		body, err := bodyOf(&p.Event)
		if err != nil {
			return nil, err
		}
		all = append(all, ParkedEvent{string(p.UserID), body.Name, time.Unix(0, p.At).UTC(), body.Data, p.Status, p.Reason, p.Last})
	}
	return all, err
}

// ContactEvent is an event of one contact that Gleap did not take so far.
type ContactEvent struct {
	Name   string          `json:"name"`
	Date   time.Time       `json:"date"`
	Data   json.RawMessage `json:"data"`
	Reason string          `json:"reason,omitempty"` // if it is parked: why Gleap refused it
}

func eventsOf(c state.Contact) ([]ContactEvent, error) {
	all := []ContactEvent{}
	events := c.ParkedEvents
	for _, e := range c.Due {
		events = append(events, state.ParkedEvent{Event: e})
	}
	for _, e := range events {
		body, err := bodyOf(&e.Event)
		if err != nil {
			return nil, err
		}
		all = append(all, ContactEvent{body.Name, time.Unix(0, e.At).UTC(), body.Data, e.Reason})
	}
	slices.SortStableFunc(all, func(a, b ContactEvent) int { return a.Date.Compare(b.Date) })
	return all, nil
}

// eventBody is what an event says.
type eventBody struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

func bodyOf(e *state.Event) (body eventBody, err error) {
	if err := json.Unmarshal(e.JSON, &body); err != nil {
		return body, fmt.Errorf("an event cannot be decoded: %w", err)
	}
	return body, nil
}
