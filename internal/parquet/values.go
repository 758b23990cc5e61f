package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// values are those of a page or a dictionary, none of them null.
type values struct {
	kind  parquet.Kind
	count int
	size  int // of each in bytes; 0: they have various sizes, or are bits
	data  []byte

	// Of various sizes: where each one begins, and where one behind the last would. Before each
	// there are some bytes that are none of it.
	begins []uint32
	gap    uint32
}

// newValues returns no values yet, of a type.
func newValues(t parquet.Type) values {
	v := values{kind: t.Kind()}
	switch v.kind {
	case parquet.Int32, parquet.Float:
		v.size = 4
	case parquet.Int64, parquet.Double:
		v.size = 8
	case parquet.Int96:
		v.size = 12
	case parquet.FixedLenByteArray:
		v.size = t.Length()
	}
	return v
}

// setPlain has the values be those of a text in what Parquet calls the plain form.
func (v *values) setPlain(text []byte, count int) error {
	v.count, v.data, v.begins = count, text, v.begins[:0]
	switch {
	case v.kind == parquet.Boolean:
		return v.need((count + 7) / 8)
	case v.kind != parquet.ByteArray:
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
func (v *values) setEncoded(t parquet.Type, text []byte, count int, how format.Encoding) error {
	form := parquet.LookupEncoding(how)
	if form.Encoding() != how {
		return fmt.Errorf("values encoded as %s: %w", how, errors.ErrUnsupported)
	}
	v.count, v.gap = count, 0
	if v.kind == parquet.ByteArray {
		v.begins = slices.Grow(v.begins[:0], count+1)[:count+1]
	}
	decoded, err := t.Decode(t.NewValues(make([]byte, t.EstimateDecodeSize(count, text, form)), v.begins), text, form)
	if err != nil {
		return err
	}
	v.data, v.begins = decoded.Data()
	switch {
	case v.kind == parquet.Boolean:
		return v.need((count + 7) / 8)
	case v.kind != parquet.ByteArray:
		return v.need(v.size * count)
	case len(v.begins) <= count:
		return errDamaged
	}
	return nil
}

// bytes returns what stands for a value, which is not a boolean.
func (v *values) bytes(n int) []byte {
	if v.kind == parquet.ByteArray {
		return v.data[v.begins[n] : v.begins[n+1]-v.gap]
	}
	return v.data[n*v.size : (n+1)*v.size]
}

// value returns one of the values, valid as long as all are.
func (v *values) value(n int) parquet.Value {
	if v.kind == parquet.Boolean {
		return parquet.BooleanValue(v.data[n/8]>>(n%8)&1 != 0)
	}
	text := v.bytes(n)
	switch v.kind {
	case parquet.Int32:
		return parquet.Int32Value(int32(binary.LittleEndian.Uint32(text)))
	case parquet.Int64:
		return parquet.Int64Value(int64(binary.LittleEndian.Uint64(text)))
	case parquet.Int96:
		return parquet.Int96Value(deprecated.Int96{
			binary.LittleEndian.Uint32(text), binary.LittleEndian.Uint32(text[4:]), binary.LittleEndian.Uint32(text[8:]),
		})
	case parquet.Float:
		return parquet.FloatValue(math.Float32frombits(binary.LittleEndian.Uint32(text)))
	case parquet.Double:
		return parquet.DoubleValue(math.Float64frombits(binary.LittleEndian.Uint64(text)))
	case parquet.FixedLenByteArray:
		return parquet.FixedLenByteArrayValue(text)
	}
	return parquet.ByteArrayValue(text)
}
