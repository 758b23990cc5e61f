package events

import (
	"encoding/binary"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/state"
)

// appendRead appends an event, without its user id, as sorters keep it: before the types of its
// properties are known.
func appendRead(dst []byte, at int64, message uint64, e *gleap.Event) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	dst = binary.BigEndian.AppendUint64(dst, message)
	dst = binary.AppendUvarint(dst, uint64(len(e.Name)))
	dst = append(dst, e.Name...)
	for _, a := range e.Data {
		dst = binary.AppendUvarint(dst, uint64(len(a.Key)))
		dst = a.Value.Append(append(dst, a.Key...))
	}
	return dst
}

// event makes an event that appendRead wrote one of the plan.
func (t *propertyTypes) event(userID, read []byte) (payload []byte, message uint64, err error) {
	if len(read) < 16 {
		return nil, 0, extsort.ErrTemp
	}
	at, message := int64(binary.BigEndian.Uint64(read)), binary.BigEndian.Uint64(read[8:])
	e := gleap.Event{Date: time.Unix(0, at), UserID: userID}
	name, rest, ok := attr.CutText(read[16:])
	if !ok {
		return nil, 0, extsort.ErrTemp
	}
	e.Name = name
	folded := foldName(string(name))
	for len(rest) > 0 {
		var key []byte
		var said attr.Value
		if key, rest, ok = attr.CutText(rest); !ok {
			return nil, 0, extsort.ErrTemp
		}
		if said, rest, err = attr.Cut(rest); err != nil {
			return nil, 0, extsort.ErrTemp
		}
		v := said
		if folded != foldName(gleap.PageView) {
			v = t.convert(folded, string(key), said)
		}
		if v.Kind() != attr.None {
			e.Data = append(e.Data, gleap.Attribute{Key: string(key), Value: v})
		}
	}
	return appendEvent(nil, at, message, &e), message, nil
}

// appendEvent appends an event, without its user id, as the plan keeps it.
func appendEvent(dst []byte, at int64, message uint64, e *gleap.Event) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(at))
	return e.AppendJSON(binary.BigEndian.AppendUint64(dst, message))
}

// decodeEvent returns an event that appendEvent wrote.
func decodeEvent(userID, payload []byte) (state.Event, error) {
	if len(payload) < 16 {
		return state.Event{}, extsort.ErrTemp
	}
	return state.Event{
		UserID: userID, At: int64(binary.BigEndian.Uint64(payload)), ID: binary.BigEndian.Uint64(payload[8:]), JSON: payload[16:],
	}, nil
}
