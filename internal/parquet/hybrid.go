package parquet

import (
	"encoding/binary"
	"math"

	"github.com/parquet-go/bitpack"
)

// hybrid reads numbers that stand as runs of one number, or packed with a few bits for each: levels,
// indexes of a dictionary and booleans do. Numbers that nobody asks for are not unpacked.
type hybrid struct {
	data   []byte // behind the present run
	width  int    // of a number in bits, 32 at most
	left   int    // numbers of the present run that are not read yet
	number uint32 // that the run consists of,
	packed []byte // or its numbers
	bit    int    // where the next one begins there
}

// next goes on to the next run, which may have no numbers.
func (h *hybrid) next() error {
	head, n := binary.Uvarint(h.data)
	count := head >> 1
	if n <= 0 || count > math.MaxInt32 {
		return errDamaged
	}
	h.data = h.data[n:]
	if head&1 == 0 {
		size := (h.width + 7) / 8
		if size > len(h.data) {
			return errDamaged
		}
		var number [4]byte
		copy(number[:], h.data[:size])
		h.number, h.packed, h.left = binary.LittleEndian.Uint32(number[:]), nil, int(count)
		h.data = h.data[size:]
		if h.number>>h.width != 0 {
			return errDamaged
		}
		return nil
	}
	if h.width == 0 {
		h.number, h.packed, h.left = 0, nil, 8*int(count)
		return nil
	}
	size := min(int(count)*h.width, len(h.data)) // eight numbers at least, where they are not the last
	h.packed, h.bit, h.left = h.data[:size], 0, 8*size/h.width
	h.data = h.data[size:]
	return nil
}

// isAll reports whether the next n numbers are one, and stand as a run.
func (h *hybrid) isAll(number uint32, n int) bool {
	return h.left >= n && h.packed == nil && h.number == number
}

// read reads the next numbers.
func (h *hybrid) read(dst []int32) error {
	for len(dst) > 0 {
		if h.left == 0 {
			if err := h.next(); err != nil {
				return err
			}
			continue
		}
		n := min(len(dst), h.left)
		if h.packed == nil {
			for i := range dst[:n] {
				dst[i] = int32(h.number)
			}
		} else {
			unpack(dst[:n], h.packed, h.bit, h.width)
		}
		h.pass(n)
		dst = dst[n:]
	}
	return nil
}

// skip passes over n numbers.
func (h *hybrid) skip(n int) error {
	for n > 0 {
		if h.left == 0 {
			if err := h.next(); err != nil {
				return err
			}
			continue
		}
		passed := min(n, h.left)
		h.pass(passed)
		n -= passed
	}
	return nil
}

func (h *hybrid) pass(n int) {
	h.left -= n
	h.bit += n * h.width
}

// unpack reads numbers of some bits each, which stand one behind the other from a bit on.
func unpack(dst []int32, packed []byte, bit, width int) {
	for ; bit%8 != 0 && len(dst) > 0; dst, bit = dst[1:], bit+width {
		dst[0] = numberAt(packed, bit, width)
	}
	// The library does it faster, and reads some bytes more than it needs.
	if n := min(len(dst), 8*(cap(packed)-bitpack.PaddingInt32-bit/8)/width); n > 0 {
		bitpack.Unpack(dst[:n], packed[bit/8:cap(packed)], uint(width))
		dst, bit = dst[n:], bit+n*width
	}
	for ; len(dst) > 0; dst, bit = dst[1:], bit+width {
		dst[0] = numberAt(packed, bit, width)
	}
}

// numberAt returns the number of some bits that begins at one.
func numberAt(packed []byte, bit, width int) int32 {
	var word [8]byte // enough for those before it in its first byte too
	copy(word[:], packed[bit/8:])
	return int32(binary.LittleEndian.Uint64(word[:]) >> (bit % 8) & (1<<width - 1))
}
