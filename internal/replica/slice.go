package replica

import (
	"bytes"
	"encoding/binary"

	"gleapsync/internal/attr"
	"gleapsync/state"
)

// sliceMagic begins a slice.
var sliceMagic = []byte("gleapsync slice 1\n")

// packSlice writes down what may be sent.
func packSlice(all []state.Announced) ([]byte, error) {
	b := bytes.Clone(sliceMagic)
	for _, a := range all {
		b = appendBytes(b, a.UserID)
		b = appendBytes(b, a.Fields)
		b = binary.AppendUvarint(b, uint64(len(a.Attributes)))
		for _, c := range a.Attributes {
			b = binary.AppendUvarint(b, uint64(c.ID))
			b = c.Value.Append(b)
		}
	}
	return pack(b)
}

// unpackSlice reads what packSlice wrote.
func unpackSlice(packed []byte) (all []state.Announced, err error) {
	b, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	b, ok := bytes.CutPrefix(b, sliceMagic)
	if !ok {
		return nil, errPart
	}
	for len(b) > 0 {
		var a state.Announced
		if a.UserID, b, err = cutBytes(b); err != nil {
			return nil, err
		}
		if a.Fields, b, err = cutBytes(b); err != nil {
			return nil, err
		}
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)) || len(a.UserID) == 0 {
			return nil, errPart
		}
		b = b[size:]
		for range n {
			id, size := binary.Uvarint(b)
			if size <= 0 || id > 1<<31 {
				return nil, errPart
			}
			v, rest, err := attr.Cut(b[size:])
			if err != nil {
				return nil, errPart
			}
			a.Attributes, b = append(a.Attributes, state.Change{ID: uint32(id), Value: v}), rest
		}
		all = append(all, a)
	}
	return all, nil
}
