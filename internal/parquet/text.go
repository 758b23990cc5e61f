package parquet

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go/format"

	"gleapsync/internal/cell"
)

// valueText appends the text that a column's values have in CSV.
type valueText struct {
	append func(dst, v []byte) []byte // nil: they have none
	form   cell.Form
}

// newValueText finds the text of a type as warehouses write it.
func newValueText(t valueType) valueText {
	switch l := t.logical.(type) {
	case *format.DecimalType:
		if l.Scale >= 0 && l.Scale <= maxScale {
			return valueText{decimalText(t.kind, int(l.Scale)), cell.Number}
		}
		return valueText{}
	case *format.DateType:
		return valueText{dateText, cell.Text}
	case *format.TimestampType:
		return valueText{timestampText(l.Unit), cell.Text}
	case *format.TimeType:
		return valueText{timeOfDayText(l.Unit), cell.Text}
	case *format.UUIDType:
		return valueText{uuidText, cell.Text}
	case *format.IntType:
		if !l.IsSigned {
			return valueText{unsignedText, cell.Number}
		}
	case *format.JsonType:
		return valueText{plainText, cell.JSON}
	case nil, *format.StringType, *format.EnumType:
	default:
		return valueText{}
	}
	switch t.kind {
	case format.Boolean:
		return valueText{func(dst, v []byte) []byte { return strconv.AppendBool(dst, isTrue(v)) }, cell.Boolean}
	case format.Int32, format.Int64:
		return valueText{func(dst, v []byte) []byte { return strconv.AppendInt(dst, integer(v), 10) }, cell.Number}
	case format.Int96:
		return valueText{int96Text, cell.Text}
	case format.Float:
		return valueText{func(dst, v []byte) []byte {
			return floatText(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(v))), 32)
		}, cell.Number}
	case format.Double:
		return valueText{func(dst, v []byte) []byte {
			return floatText(dst, math.Float64frombits(binary.LittleEndian.Uint64(v)), 64)
		}, cell.Number}
	case format.ByteArray:
		return valueText{plainText, cell.Text}
	}
	return valueText{} // bytes of a fixed length can mean anything
}

func plainText(dst, v []byte) []byte { return append(dst, v...) }

// integer returns a whole number of four or of eight bytes.
func integer(v []byte) int64 {
	if len(v) == 4 {
		return int64(int32(binary.LittleEndian.Uint32(v)))
	}
	return int64(binary.LittleEndian.Uint64(v))
}

func unsignedText(dst, v []byte) []byte {
	if len(v) == 4 {
		return strconv.AppendUint(dst, uint64(binary.LittleEndian.Uint32(v)), 10)
	}
	return strconv.AppendUint(dst, binary.LittleEndian.Uint64(v), 10)
}

func floatText(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f == 0: // a negative zero too
		return append(dst, '0')
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

// maxScale is the largest scale of a decimal that any warehouse has: BigQuery's BIGNUMERIC
// has 38, others fewer.
const maxScale = 76

func decimalText(kind format.Type, scale int) func([]byte, []byte) []byte {
	return func(dst, v []byte) []byte {
		from := len(dst)
		switch kind {
		case format.Int32, format.Int64:
			dst = strconv.AppendInt(dst, integer(v), 10)
		default:
			dst = appendBigEndian(dst, v)
		}
		if scale == 0 {
			return dst
		}
		first := from // digit
		if dst[first] == '-' {
			first++
		}
		for len(dst)-first <= scale { // a digit before the point
			dst = slices.Insert(dst, first, '0')
		}
		dst = slices.Insert(dst, len(dst)-scale, '.')
		return bytes.TrimSuffix(bytes.TrimRight(dst, "0"), []byte{'.'}) // BigQuery's have nine places
	}
}

// appendBigEndian appends a two's complement number of any length.
func appendBigEndian(dst, b []byte) []byte {
	if len(b) == 0 {
		return append(dst, '0')
	}
	sign := byte(int8(b[0]) >> 7) // what fills the bytes of a small number
	short := b
	for len(short) > 1 && short[0] == sign && byte(int8(short[1])>>7) == sign {
		short = short[1:]
	}
	if len(short) <= 8 {
		n := int64(int8(short[0]))
		for _, c := range short[1:] {
			n = n<<8 | int64(c)
		}
		return strconv.AppendInt(dst, n, 10)
	}
	n := new(big.Int).SetBytes(short)
	if sign != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(short))))
	}
	return n.Append(dst, 10)
}

const secondsPerDay = 24 * 60 * 60

func dateText(dst, v []byte) []byte {
	return time.Unix(integer(v)*secondsPerDay, 0).UTC().AppendFormat(dst, time.DateOnly)
}

// timestampText takes a time without a zone for UTC.
func timestampText(unit format.TimeUnit) func([]byte, []byte) []byte {
	at := func(n int64) time.Time { return time.Unix(0, n) }
	switch unit.Value.(type) {
	case *format.MilliSeconds:
		at = time.UnixMilli
	case *format.MicroSeconds:
		at = time.UnixMicro
	}
	return func(dst, v []byte) []byte {
		return at(integer(v)).UTC().AppendFormat(dst, time.RFC3339Nano)
	}
}

func timeOfDayText(unit format.TimeUnit) func([]byte, []byte) []byte {
	of := unit.Value.Duration()
	return func(dst, v []byte) []byte {
		return time.Unix(0, integer(v)*int64(of)).UTC().AppendFormat(dst, "15:04:05.999999999")
	}
}

// int96Text reads the nanoseconds of a day, and the day counted from noon of the year
// 4713 before Christ: timestamps as older writers have them.
func int96Text(dst, v []byte) []byte {
	const unixDay = 2440588
	nanos, day := integer(v[:8]), int64(binary.LittleEndian.Uint32(v[8:]))
	return time.Unix((day-unixDay)*secondsPerDay, nanos).UTC().AppendFormat(dst, time.RFC3339Nano)
}

func uuidText(dst, v []byte) []byte {
	text := hex.EncodeToString(v)
	return append(dst, bytes.Join([][]byte{[]byte(text[:8]), []byte(text[8:12]), []byte(text[12:16]), []byte(text[16:20]), []byte(text[20:])}, []byte("-"))...)
}
