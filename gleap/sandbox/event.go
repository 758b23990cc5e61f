package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxData is the number of keys of an event's data that are kept.
const maxData = 10

// Event is one tracked event, as Gleap keeps it.
type Event struct {
	Name   string // with - for . and $
	UserID string
	Date   time.Time
	Data   map[string]any // the first ten keys; shared by all copies, not to be changed
}

// Events returns all events in the order of their arrival.
func (s *Sandbox) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

var (
	trackKeys = schema{"events": list}
	eventKeys = schema{"name": text, "userId": text, "date": moment, "data": dict}
	eventName = strings.NewReplacer(".", "-", "$", "-")
)

// parseEvents checks the body of a track call and returns its events: all or
// none.
func parseEvents(o object) ([]Event, error) {
	if err := o.check(trackKeys, unknown, "events"); err != nil {
		return nil, err
	}
	var events []Event
	for i, v := range o.values["events"].([]any) {
		e, err := parseEvent(v)
		if err != nil {
			return nil, fmt.Errorf("events[%d]: %w", i, err)
		}
		events = append(events, e)
	}
	return events, nil
}

func parseEvent(v any) (Event, error) {
	o, ok := v.(object)
	if !ok {
		return Event{}, errors.New("must be an object")
	}
	if err := o.check(eventKeys, unknown, "name", "userId", "date"); err != nil {
		return Event{}, err
	}
	e := Event{
		Name:   eventName.Replace(o.values["name"].(string)),
		UserID: o.values["userId"].(string),
		Data:   make(map[string]any),
	}
	e.Date, _ = toTime(o.values["date"])
	if data, ok := o.values["data"].(object); ok {
		for _, key := range data.keys[:min(len(data.keys), maxData)] {
			e.Data[key] = plain(data.values[key])
		}
	}
	return e, nil
}
