package push

import (
	"encoding/json"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// deliveryLog keeps what Gleap acknowledged: a [*deliveries.Log].
type deliveryLog interface {
	Append([]deliveries.Delivery) error
}

// logDeliveries writes what the batch has of calls to the log, before the state knows of them:
// else a crash would leave calls that nobody finds.
func (l *loop) logDeliveries() error {
	acks := l.batch.Acks
	if l.o.Deliveries == nil || len(acks) == 0 {
		return nil
	}
	ids := make([][]byte, len(acks))
	for i := range acks {
		ids[i] = acks[i].UserID
	}
	all := make([]deliveries.Delivery, 0, len(acks))
	err := state.RecordsOf(l.o.Store, ids, func(i int, known *state.Record) {
		all = append(all, l.delivery(&acks[i], l.batch.classes[i], known))
	})
	if err != nil {
		return err
	}
	return l.o.Deliveries.Append(all)
}

// delivery is a call in the log; known is what Gleap had been told before.
func (l *loop) delivery(ack *state.Acknowledgement, class runs.Class, known *state.Record) deliveries.Delivery {
	d := deliveries.Delivery{
		At: ack.At, UserID: string(ack.UserID), Class: class,
		Set: map[string]json.RawMessage{}, Was: map[string]json.RawMessage{}, Fields: []string{},
	}
	for _, c := range ack.Attributes {
		key := l.plan.Attributes[c.ID].Key
		d.Set[key] = c.Value.AppendJSON(nil)
		if was := known.Find(c.ID).Value; was.Kind() != attr.None {
			d.Was[key] = was.AppendJSON(nil)
		}
	}
	for _, f := range ack.Fields {
		d.Fields = append(d.Fields, gleap.Field(f.Field).String())
	}
	return d
}
