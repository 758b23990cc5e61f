package extsort

import (
	"bytes"
	"testing"
)

// TestRows: rows come back as they were written, also from the middle on, from memory and from
// a file, and are the caller's to keep; or else use the same memory.
func TestRows(t *testing.T) {
	for _, size := range []int{0, 1, 1 << 10, 300 << 10} {
		s := Spool{Create: TempIn(t.TempDir())}
		defer s.Close()
		var middle int64
		payload := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, size) }
		n := 600
		if size > 1<<10 {
			n = 5
		}
		for i := range n {
			if i == n/2 {
				middle = s.Position()
			}
			if err := s.WriteRow([]byte{'u', byte(i)}, payload(i)); err != nil {
				t.Fatal(err)
			}
		}
		for _, part := range []struct {
			from, to int64
			first, n int
		}{{0, s.Position(), 0, n}, {middle, s.Position(), n / 2, n - n/2}, {0, middle, 0, n / 2}, {middle, middle, 0, 0}} {
			r, i := s.Rows(part.from, part.to), part.first
			for userID, got, ok := r.Next(); ok; userID, got, ok = r.Next() {
				if string(userID) != string([]byte{'u', byte(i)}) || !bytes.Equal(got, payload(i)) {
					t.Fatalf("payloads of %d bytes: row %d is %x with %d bytes", size, i, userID, len(got))
				}
				_ = append(userID, 'x') // what follows is not overwritten
				if len(got) > 0 && got[0] != byte(i) {
					t.Fatal("the user id and the payload share their memory")
				}
				i++
			}
			again := s.Rows(part.from, part.to)
			again.Reuse = true
			for j := part.first; j < i; j++ {
				if userID, got, ok := again.Next(); !ok || string(userID) != string([]byte{'u', byte(j)}) || !bytes.Equal(got, payload(j)) {
					t.Fatalf("payloads of %d bytes, in the same memory: row %d is %x with %d bytes", size, j, userID, len(got))
				}
			}
			if i -= part.first; r.Err() != nil || i != part.n {
				t.Errorf("payloads of %d bytes: %d rows from %d on, want %d: %v", size, i, part.from, part.n, r.Err())
			}
		}
	}
}
