package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/encoding/bytestreamsplit"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"
)

// values are those of a page or a dictionary, none of them null.
type values struct {
	kind  format.Type
	count int
	size  int // of each in bytes; 0: they have various sizes, or are bits
	data  []byte

	// Of various sizes: where each one begins, and where one behind the last would. Before each
	// there are some bytes that are none of it.
	begins []uint32
	gap    uint32
}

// newValues returns no values yet, of a type.
func newValues(t valueType) values {
	v := values{kind: t.kind}
	switch v.kind {
	case format.Int32, format.Float:
		v.size = 4
	case format.Int64, format.Double:
		v.size = 8
	case format.Int96:
		v.size = 12
	case format.FixedLenByteArray:
		v.size = t.length
	}
	return v
}

// setPlain has the values be those of a text in what Parquet calls the plain form.
func (v *values) setPlain(text []byte, count int) error {
	v.count, v.data, v.begins = count, text, v.begins[:0]
	switch {
	case v.kind == format.Boolean:
		return v.need((count + 7) / 8)
	case v.kind != format.ByteArray:
		return v.need(v.size * count)
	}
	const lengthSize = 4
	if err := v.need(lengthSize * count); err != nil {
		return err
	}
	v.gap = lengthSize
	v.begins = slices.Grow(v.begins, count+1)
	at := uint64(lengthSize)
	for range count {
		if at > uint64(len(text)) {
			return errDamaged
		}
		v.begins = append(v.begins, uint32(at))
		at += uint64(binary.LittleEndian.Uint32(text[at-lengthSize:])) + lengthSize
	}
	if at > uint64(len(text))+lengthSize {
		return errDamaged
	}
	v.begins = append(v.begins, uint32(at))
	return nil
}

func (v *values) need(bytes int) error {
	if len(v.data) < bytes {
		return errDamaged
	}
	return nil
}

// setEncoded has the values be those of a text in one of the other forms, which the library knows.
func (v *values) setEncoded(text []byte, count int, how format.Encoding) (err error) {
	var form encoding.Encoding
	switch how {
	case format.DeltaBinaryPacked:
		form = new(delta.BinaryPackedEncoding)
	case format.DeltaLengthByteArray:
		form = new(delta.LengthByteArrayEncoding)
	case format.DeltaByteArray:
		form = new(delta.ByteArrayEncoding)
	case format.ByteStreamSplit:
		form = new(bytestreamsplit.Encoding)
	case format.RLE, format.BitPacked: // of levels, and of booleans
		return errDamaged
	default:
		return fmt.Errorf("values encoded as %s: %w", how, errors.ErrUnsupported)
	}
	if v.data, v.begins, err = v.decode(text, form); err != nil {
		return err
	}
	v.count, v.gap = count, 0
	switch {
	case v.kind == format.Boolean:
		return v.need((count + 7) / 8)
	case v.kind != format.ByteArray:
		return v.need(v.size * count)
	case len(v.begins) <= count:
		return errDamaged
	}
	return nil
}

// decode brings a text into the plain form, except that there are no lengths between texts.
func (v *values) decode(text []byte, form encoding.Encoding) (data []byte, begins []uint32, err error) {
	var all encoding.Values
	switch v.kind {
	case format.Int32:
		all, err = encoding.DecodeInt32(encoding.Int32Values(nil), text, form)
	case format.Int64:
		all, err = encoding.DecodeInt64(encoding.Int64Values(nil), text, form)
	case format.Float:
		all, err = encoding.DecodeFloat(encoding.FloatValues(nil), text, form)
	case format.Double:
		all, err = encoding.DecodeDouble(encoding.DoubleValues(nil), text, form)
	case format.ByteArray:
		all, err = encoding.DecodeByteArray(encoding.ByteArrayValues(nil, v.begins), text, form)
	case format.FixedLenByteArray:
		all, err = encoding.DecodeFixedLenByteArray(encoding.FixedLenByteArrayValues(nil, v.size), text, form)
	default: // none of the forms is for booleans, nor for what is older than they are
		return nil, nil, errDamaged
	}
	data, begins = all.Data()
	return data, begins, err
}

// bytes returns what stands for a value, which is not a boolean.
func (v *values) bytes(n int) []byte {
	if v.kind == format.ByteArray {
		return v.data[v.begins[n] : v.begins[n+1]-v.gap]
	}
	return v.data[n*v.size : (n+1)*v.size]
}

// value returns one of the values in the plain form, valid as long as all are. Of a boolean it is a
// byte.
func (v *values) value(n int) []byte {
	if v.kind == format.Boolean {
		return truths[v.data[n/8]>>(n%8)&1]
	}
	return v.bytes(n)
}

var truths = [...][]byte{{0}, {1}}

func isTrue(v []byte) bool { return v[0] != 0 }
