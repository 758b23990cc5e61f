package state

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"go.etcd.io/bbolt"
)

// put stores a value.
func put(b *bbolt.Bucket, key, value []byte) error {
	if b.Get(key) == nil {
		if err := b.SetSequence(b.Sequence() + 1); err != nil {
			return err
		}
	}
	return b.Put(key, seal(key, value))
}

// remove deletes a value, if there is one.
func remove(b *bbolt.Bucket, key []byte) error {
	if b.Get(key) == nil {
		return nil
	}
	return errors.Join(b.SetSequence(b.Sequence()-1), b.Delete(key))
}

var errCount = errors.New("entries are missing")

// each calls fn with all entries of a bucket. One that is not there has none.
func each(b *bbolt.Bucket, fn func(key, value []byte) error) error {
	if b == nil {
		return nil
	}
	n := uint64(0)
	if err := b.ForEach(func(key, sealed []byte) error {
		value, err := unseal(key, sealed)
		if err != nil {
			return err
		}
		n++
		return fn(key, value)
	}); err != nil {
		return err
	}
	if n != b.Sequence() {
		return errCount
	}
	return nil
}

// get returns a value of the bucket meta, all of which were checked when the file was
// opened; nil if there is none.
func get(meta *bbolt.Bucket, key []byte) []byte {
	value, err := unseal(key, meta.Get(key))
	if err != nil {
		return nil
	}
	return value
}

func getUint(meta *bbolt.Bucket, key []byte) uint64 {
	v := get(meta, key)
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

func putUint(meta *bbolt.Bucket, key []byte, v uint64) error {
	return put(meta, key, binary.BigEndian.AppendUint64(nil, v))
}

// putMeta stores a value; nil stands for the one that is there.
func putMeta(tx *bbolt.Tx, key, value []byte) error {
	if value == nil {
		return nil
	}
	return put(tx.Bucket(bucketMeta), key, value)
}

// getJSON reads a sealed value into v.
func getJSON(key, sealed []byte, v any) error {
	text, err := unseal(key, sealed)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// putJSON stores v.
func putJSON(b *bbolt.Bucket, key []byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return put(b, key, text)
}
