package inspect

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"gleapsync/internal/deliveries"
)

// Told is what Gleap was told of an attribute with one call.
type Told struct {
	At  time.Time       `json:"at"`
	Run string          `json:"run"`
	Key string          `json:"key"`
	Was json.RawMessage `json:"was,omitempty"` // nothing: Gleap had been told nothing before
	Is  json.RawMessage `json:"is"`
}

// Call is a call that Gleap acknowledged.
type Call struct {
	At  time.Time `json:"at"`
	Run string    `json:"run"`
}

// addHistory adds what the log of deliveries has of a contact. That it cannot be read is said, and
// no reason to say nothing of the rest.
func (v *View) addHistory(ctx context.Context, c *Contact) error {
	log := v.o.Deliveries
	if !log.IsKept() {
		return nil
	}
	fields, last := map[string]Call{}, time.Time{}
	err := log.Read(ctx, deliveries.Query{UserIDs: []string{c.UserID}}, func(d deliveries.Delivery) error {
		for _, key := range slices.Sorted(maps.Keys(d.Set)) {
			c.History = append(c.History, Told{d.At, d.Run, key, d.Was[key], d.Set[key]})
		}
		for _, name := range d.Fields {
			fields[name] = Call{d.At, d.Run}
		}
		last = d.At
		return nil
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		c.HistoryError = err.Error()
		return nil
	}
	if last.Unix() != c.LastCall.Unix() { // there were calls without a log
		return nil
	}
	c.FieldsSent = fields
	for key, at := range c.Acknowledged { // what the state alone can only guess
		for _, t := range slices.Backward(c.History) {
			if t.Key == key && t.At.Unix() == at.Unix() {
				c.Runs[key] = t.Run
				break
			}
		}
	}
	return nil
}
