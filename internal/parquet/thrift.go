package parquet

import (
	"encoding/binary"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// decode reads a struct in Thrift's compact protocol off the front of data, and returns how long it
// is. The library makes lists as long as they say they are, and goes as deep as data do: what is
// there is walked over before. Texts of v are parts of data.
func decode(data []byte, v any) (size int, err error) {
	w := walk{data: data}
	if !w.over(thrift.STRUCT, deepest) {
		return 0, errDamaged
	}
	size = len(data) - len(w.data)
	return size, thrift.NewDecoder(new(thrift.CompactProtocol).NewReaderFromBytes(data[:size])).Decode(v)
}

// deepest is how deep structs and lists may be in each other: those of Parquet are eight deep.
const deepest = 32

// walk goes over data in the compact protocol.
type walk struct {
	data []byte // that are left
}

// over passes over a value, and reports false if there is none, or one that is too deep.
func (w *walk) over(kind thrift.Type, depth int) bool {
	if depth == 0 {
		return false
	}
	switch kind {
	case thrift.TRUE, thrift.FALSE, thrift.I8:
		return w.pass(1)
	case thrift.I16, thrift.I32, thrift.I64:
		_, ok := w.number()
		return ok
	case thrift.DOUBLE:
		return w.pass(8)
	case thrift.UUID:
		return w.pass(16)
	case thrift.BINARY:
		n, ok := w.number()
		return ok && w.pass(n)
	case thrift.LIST, thrift.SET:
		return w.overList(depth)
	case thrift.MAP:
		return w.overMap(depth)
	case thrift.STRUCT:
		return w.overStruct(depth)
	}
	return false
}

func (w *walk) overStruct(depth int) bool {
	for {
		head, ok := w.byte()
		if !ok {
			return false
		}
		kind := thrift.Type(head & 0xf)
		if kind == thrift.STOP {
			return true
		}
		if head>>4 == 0 { // else it is how far the field's number is from the one before
			if _, ok := w.number(); !ok {
				return false
			}
		}
		if kind != thrift.TRUE && kind != thrift.FALSE && !w.over(kind, depth-1) {
			return false
		}
	}
}

func (w *walk) overList(depth int) bool {
	head, ok := w.byte()
	n := uint64(head >> 4)
	if ok && n == 0xf {
		n, ok = w.number()
	}
	return ok && w.overItems(n, depth, thrift.Type(head&0xf))
}

func (w *walk) overMap(depth int) bool {
	n, ok := w.number()
	if !ok || n == 0 {
		return ok
	}
	head, ok := w.byte()
	return ok && w.overItems(n, depth, thrift.Type(head>>4), thrift.Type(head&0xf))
}

// overItems passes over n items, which consist of a value of each kind.
func (w *walk) overItems(n uint64, depth int, kinds ...thrift.Type) bool {
	for range n { // there are no more than bytes
		for _, kind := range kinds {
			if !w.over(kind, depth-1) {
				return false
			}
		}
	}
	return true
}

func (w *walk) byte() (b byte, ok bool) {
	if len(w.data) == 0 {
		return 0, false
	}
	b, w.data = w.data[0], w.data[1:]
	return b, true
}

func (w *walk) number() (n uint64, ok bool) {
	n, size := binary.Uvarint(w.data)
	if size <= 0 {
		return 0, false
	}
	w.data = w.data[size:]
	return n, true
}

func (w *walk) pass(n uint64) bool {
	if n > uint64(len(w.data)) {
		return false
	}
	w.data = w.data[n:]
	return true
}
