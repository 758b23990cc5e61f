package parquet

import (
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// valueType is what the values of a column are.
type valueType struct {
	kind    format.Type             // how they are stored,
	length  int                     // in how many bytes if all have as many,
	logical format.LogicalTypeValue // and what they mean; nil: what is stored
}

// String returns the type's name. [File.Form] has it: another name would be another file.
func (t valueType) String() string {
	if t.logical != nil {
		return t.logical.String()
	}
	return t.kind.String()
}

// newValueType returns the type of a column. What its values mean says how they are stored.
func newValueType(e *schemaElement) (t valueType, err error) {
	t = valueType{kind: e.Type.V, length: int(e.TypeLength.V), logical: meaning(e)}
	switch l := t.logical.(type) {
	case *format.StringType, *format.EnumType, *format.JsonType:
		t.kind = format.ByteArray
	case *format.DateType:
		t.kind = format.Int32
	case *format.TimestampType:
		t.kind = format.Int64
	case *format.TimeType:
		t.kind = format.Int64
		if _, ok := l.Unit.Value.(*format.MilliSeconds); ok {
			t.kind = format.Int32
		}
		if l.Unit.Value == nil {
			return t, errDamaged
		}
	case *format.IntType:
		t.kind = format.Int32
		if l.BitWidth == 64 {
			t.kind = format.Int64
		}
	case *format.UUIDType:
		t.kind, t.length = format.FixedLenByteArray, 16
	case *format.DecimalType:
		switch t.kind {
		case format.Int32, format.Int64, format.ByteArray:
		case format.FixedLenByteArray:
			if !e.TypeLength.Valid || t.length < 0 {
				return t, errDamaged
			}
		default:
			return t, errDamaged
		}
	}
	return t, nil
}

// meaning returns what the values of a column mean. Older writers say it in their own way.
func meaning(e *schemaElement) format.LogicalTypeValue {
	if e.LogicalType.Value != nil || !e.ConvertedType.Valid {
		return e.LogicalType.Value
	}
	millis, micros := format.TimeUnit{Value: new(format.MilliSeconds)}, format.TimeUnit{Value: new(format.MicroSeconds)}
	switch e.ConvertedType.V {
	case deprecated.UTF8:
		return new(format.StringType)
	case deprecated.Enum:
		return new(format.EnumType)
	case deprecated.Json:
		return new(format.JsonType)
	case deprecated.Decimal:
		if e.Scale.Valid && e.Precision.Valid {
			return &format.DecimalType{Scale: e.Scale.V, Precision: e.Precision.V}
		}
	case deprecated.Date:
		return new(format.DateType)
	case deprecated.TimeMillis:
		return &format.TimeType{IsAdjustedToUTC: true, Unit: millis}
	case deprecated.TimeMicros:
		return &format.TimeType{IsAdjustedToUTC: true, Unit: micros}
	case deprecated.TimestampMillis:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: millis}
	case deprecated.TimestampMicros:
		return &format.TimestampType{IsAdjustedToUTC: true, Unit: micros}
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return &format.IntType{BitWidth: 8 << (e.ConvertedType.V - deprecated.Uint8)}
	case deprecated.Int8, deprecated.Int16, deprecated.Int32, deprecated.Int64:
		return &format.IntType{BitWidth: 8 << (e.ConvertedType.V - deprecated.Int8), IsSigned: true}
	case deprecated.Map, deprecated.MapKeyValue, deprecated.List, deprecated.Bson, deprecated.Interval:
		return new(format.NullType) // nothing that a cell can say
	}
	return nil
}
