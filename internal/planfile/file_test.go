package planfile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"gleapsync/internal/attr"
	"gleapsync/internal/extsort"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// TestFile: what several parts hold comes class by class, each from behind the contact that the
// run before came to last, and is what was written.
func TestFile(t *testing.T) {
	before := leftOver()
	before.Classes["change"] = state.Turn{Last: "c"}
	long := strings.Repeat("x", 10_000) // so that it does not stay in memory
	var f File
	defer f.Close()
	write := func(ids string) {
		p := f.Add(before, extsort.TempIn(t.TempDir()))
		for _, id := range ids {
			for class := runs.ClassChange; class < runs.Classes; class++ {
				e := Entry{UserID: []byte(string(id)), Class: class, Attributes: []state.Change{{ID: 1, Value: attr.OfString([]byte(string(id) + long))}}, News: []News{{0, int64(id)}}}
				if err := p.Write(&e); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	before.Classes["first"] = state.Turn{Last: "z"} // who waits has no turn of its own here
	write("abcdefghijklm")
	write("nopqrst")
	if got, want := f.Counts(), (Counts{runs.ClassChange: {20, 20}, runs.ClassFirst: {20, 20}}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var got [runs.Classes]string
	r := f.Read(before)
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text := e.Attributes[0].Value.Text(); string(text) != string(e.UserID)+long || e.News[0].At != int64(e.UserID[0]) || e.Size < len(long) {
			t.Errorf("%s says %.5s at %d in %d bytes", e.UserID, text, e.News[0].At, e.Size)
		}
		got[e.Class] += string(e.UserID)
	}
	if want := [runs.Classes]string{runs.ClassChange: "defghijklmnopqrstabc", runs.ClassFirst: "abcdefghijklmnopqrst"}; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	sorted := ""
	for r := f.Sorted(); ; {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sorted += string(e.UserID)
	}
	if want := "abcdefghijklmnopqrst"; sorted != want+want {
		t.Errorf("sorted %q", sorted)
	}
	var ids []string
	contacts := f.Contacts()
	for userID, _, ok := contacts.Next(); ok; userID, _, ok = contacts.Next() {
		ids = append(ids, string(userID))
	}
	if err := contacts.Err(); err != nil || !slices.IsSorted(ids) || len(ids) != 40 {
		t.Errorf("%v, %v", ids, err)
	}
}

// changing is a temporary file of which somebody cuts off the end.
type changing struct {
	extsort.TempFile
	size int64
}

func (c changing) ReadAt(b []byte, at int64) (int, error) {
	return io.NewSectionReader(c.TempFile, 0, c.size).ReadAt(b, at)
}

// TestCutOff: a plan that ends too early is an error, wherever it ends.
func TestCutOff(t *testing.T) {
	for size := int64(0); size < 300_000; size += 7_919 {
		var f File
		p := f.Add(state.Turns{}, func() (extsort.TempFile, error) {
			file, err := extsort.TempIn(t.TempDir())()
			return changing{file, size}, err
		})
		for i := range 30 {
			e := Entry{UserID: fmt.Append(nil, i), Attributes: []state.Change{{ID: 1, Value: attr.OfString(make([]byte, 20_000))}}}
			if err := p.Write(&e); err != nil {
				t.Fatal(err)
			}
		}
		r, n := f.Read(state.Turns{}), 0
		var err error
		for ; err == nil; n++ {
			_, err = r.Next()
		}
		if !errors.Is(err, extsort.ErrTemp) && !errors.Is(err, errEntry) || n > 30 {
			t.Errorf("cut off at %d: %v behind %d entries", size, err, n)
		}
		f.Close()
	}
}
