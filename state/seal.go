package state

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// bbolt knows only by the structure of its pages whether a file is sound. So that a
// byte that went wrong cannot turn into calls, each value ends with a checksum over its
// key and itself, and each bucket's sequence is the number of its entries.

// sealSize is what the checksum takes.
const sealSize = crc32.Size

var (
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	errChecksum = errors.New("a value and its checksum differ")
)

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// seal appends the checksum to a value.
func seal(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(key, value))
}

// unseal returns a value without its checksum, which has to be right.
func unseal(key, sealed []byte) ([]byte, error) {
	n := len(sealed) - sealSize
	if n < 0 || binary.BigEndian.Uint32(sealed[n:]) != checksum(key, sealed[:n]) {
		return nil, errChecksum
	}
	return sealed[:n], nil
}
