package rowlist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"gleapsync/internal/extsort"
	"gleapsync/internal/rounds"
)

var someRows = rapid.Map(rapid.SliceOfNDistinct(rapid.StringMatching(`(user_)?[a-c]{1,4}`), 0, 12, rapid.ID), func(ids []string) []Row {
	slices.Sort(ids)
	rows := make([]Row, len(ids))
	for i, id := range ids {
		rows[i] = Row{UserID: []byte(id), Print: [16]byte{byte(len(id)), byte(i)}}
		for n := range i % 3 { // those of nothing in front
			rows[i].Notes = Note{uint32(n * 1000), Said(n)}.Append(rows[i].Notes)
		}
	}
	return rows
})

func notes(of ...Note) (all Notes) {
	for _, n := range of {
		all = n.Append(all)
	}
	return all
}

// TestNotes: those that say nothing are found without a look at the others, however they came.
func TestNotes(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.db")
	h := Header{ID: NewID()}
	member, nothing, other := Note{7, Member}, Note{300, Nothing}, Note{1, Other}
	write(t, state, h, []Row{{UserID: []byte("a"), Notes: notes(member, nothing, other)}, {UserID: []byte("b"), Notes: notes(other)}, {UserID: []byte("c")}})
	r, err := Open(state, h.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rows, err := read(r)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]Notes{{notes(nothing, member, other), notes(nothing)}, {notes(other), nil}, {nil, nil}} {
		if got := rows[i].Notes; !bytes.Equal(got, want[0]) || !bytes.Equal(got.Nothing(), want[1]) {
			t.Errorf("row %d has %v, of nothing %v", i, got, got.Nothing())
		}
	}
	if got := slices.Collect(rows[0].Notes.All()); !slices.Equal(got, []Note{nothing, member, other}) {
		t.Errorf("the notes are %v", got)
	}
}

func write(t interface{ Fatal(...any) }, state string, h Header, rows []Row) string {
	w, err := Create(state, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return Path(state, h.Name())
}

func read(r *Reader) (rows []Row, err error) {
	for row := r.Next(); row != nil; row = r.Next() {
		rows = append(rows, Row{bytes.Clone(row.UserID), row.Print, slices.Clone(row.Notes)})
	}
	return rows, r.Err()
}

// TestList: a list is what was written, and with any byte changed, lost or added it is damaged.
func TestList(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.db")
	rounds.Check(t, func(t *rapid.T) {
		rows := someRows.Draw(t, "rows")
		h := Header{ID: NewID(), Seed: 7, Of: [32]byte{1, 2}}
		path := write(t, state, h, rows)
		defer os.Remove(path)
		r, err := Open(state, h.Name())
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(r)
		r.Close()
		if err != nil || r.Header != h || fmt.Sprint(got) != fmt.Sprint(rows) {
			t.Fatalf("%v of %v was read: %v", got, rows, err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged := map[string][]byte{"longer": append(bytes.Clone(text), 0), "shorter": text[:rapid.IntRange(0, len(text)-1).Draw(t, "size")]}
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		other := bytes.Clone(text)
		other[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "with"))
		damaged["another byte"] = other
		for what, text := range damaged {
			r, err := NewReader(bytes.NewReader(text))
			if err == nil {
				_, err = read(r)
			}
			if err == nil {
				t.Fatalf("%s: no error", what)
			}
		}
	})
}

func TestOpenAnotherList(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.db")
	a, b := Header{ID: NewID()}, Header{ID: NewID()}
	path := write(t, state, a, nil)
	if err := os.Rename(path, Path(state, b.Name())); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(state, b.Name()); err == nil {
		t.Error("the list of another id was opened")
	}
}

func TestRemove(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.db")
	a, b := Header{ID: NewID()}, Header{ID: NewID()}
	write(t, state, a, nil)
	write(t, state, b, nil)
	for _, name := range []string{state, state + ".rows-mine", state + "2.rows-" + a.Name()} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	Remove(state, b.Name())
	left, err := filepath.Glob(state + "*")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{state, state + ".rows-mine", state + "2.rows-" + a.Name(), Path(state, b.Name())}; !slices.Equal(left, slices.Sorted(slices.Values(want))) {
		t.Errorf("these are left: %q", left)
	}
}

func TestOrder(t *testing.T) {
	w, err := Create(filepath.Join(t.TempDir(), "state.db"), Header{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Discard()
	for _, c := range []struct {
		id    string
		taken bool
	}{{"b", true}, {"c", true}, {"b", false}, {"c", false}, {"", false}} {
		if err := w.Add(Row{UserID: []byte(c.id)}); (err == nil) != c.taken {
			t.Errorf("%q: %v", c.id, err)
		}
	}
}

// TestCompare: who is said to differ is who does, in order.
func TestCompare(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.db")
	rounds.Check(t, func(t *rapid.T) {
		before, now := someRows.Draw(t, "before"), someRows.Draw(t, "now")
		several := rapid.SliceOfN(rapid.Bool(), len(now), len(now)).Draw(t, "several")
		sorter := extsort.New(1<<20, &extsort.Memory{Room: 1 << 20}, nil)
		defer sorter.Close()
		for i, r := range now {
			for range 1 + map[bool]int{true: 1}[several[i]] {
				if err := sorter.Add(r.UserID, r.Print[:]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := sorter.Finish(); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, id := range slices.Compact(slices.Sorted(slices.Values(slices.Concat(idsOf(before), idsOf(now))))) {
			b, n := slices.Index(idsOf(before), id), slices.Index(idsOf(now), id)
			if b < 0 || n < 0 || before[b].Print != now[n].Print || several[n] {
				want = append(want, fmt.Sprint(id, b >= 0, n >= 0))
			}
		}
		h := Header{ID: NewID()}
		defer os.Remove(write(t, state, h, before))
		list, err := Open(state, h.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer list.Close()
		var got []string
		kept := 0
		err = Compare(list, NewRows(sorter.Stream(extsort.Span{}, 0)), func(b, n *Row) error {
			if b != nil {
				got = append(got, fmt.Sprint(string(b.UserID), true, n != nil))
			} else {
				got = append(got, fmt.Sprint(string(n.UserID), false, true))
			}
			return nil
		}, func(*Row) error { kept++; return nil })
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q differ, not %q: %v", got, want, err)
		}
	})
}

// TestTrim: what is left are the notes that say nothing, and those of contacts of whom the records do
// not tell.
func TestTrim(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.db")
	rounds.Check(t, func(t *rapid.T) {
		rows, h := someRows.Draw(t, "rows"), Header{ID: NewID(), Seed: 3, Of: [32]byte{4}}
		defer os.Remove(write(t, state, h, rows))
		isUnsettled := func(id []byte) bool { return id[len(id)-1] == 'a' }
		id, err := Trim(state, h.Name(), isUnsettled)
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(Path(state, id))
		for i := range rows {
			if !isUnsettled(rows[i].UserID) {
				rows[i].Notes = rows[i].Notes.Nothing()
			}
		}
		list, err := Open(state, id)
		if err != nil {
			t.Fatal(err)
		}
		defer list.Close()
		if got, err := read(list); err != nil || fmt.Sprint(got) != fmt.Sprint(rows) || id == h.Name() || list.Seed != h.Seed || list.Of != h.Of {
			t.Fatalf("%v of %v is left, not %v: %v", got, list.Header, rows, err)
		}
	})
}

// TestTrimDamaged: of a list that is damaged nothing is made.
func TestTrimDamaged(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.db")
	h := Header{ID: NewID()}
	path := write(t, state, h, []Row{{UserID: []byte("a")}, {UserID: []byte("b")}})
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := Trim(state, h.Name(), func([]byte) bool { return false }); !errors.Is(err, ErrDamaged) {
		t.Errorf("the error is %v", err)
	}
	if left, _ := filepath.Glob(state + "*"); !slices.Equal(left, []string{path}) {
		t.Errorf("%q are left", left)
	}
}

func idsOf(rows []Row) (ids []string) {
	for _, r := range rows {
		ids = append(ids, string(r.UserID))
	}
	return ids
}

func FuzzReader(f *testing.F) {
	state := filepath.Join(f.TempDir(), "state.db")
	text, err := os.ReadFile(write(f, state, Header{}, []Row{{UserID: []byte("ab")}, {UserID: []byte("ac"), Notes: notes(Note{1, Nothing}, Note{300, Other})}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := NewReader(bytes.NewReader(text)); err == nil {
			_, _ = read(r)
		}
	})
}

// TestWrite: a list of what changed is the same as one of all.
func TestWrite(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.db")
	rounds.Check(t, func(t *rapid.T) {
		before, now := someRows.Draw(t, "before"), someRows.Draw(t, "now")
		out := ""
		if len(now) > 0 {
			out = rapid.SampledFrom(idsOf(now)).Draw(t, "left out")
		}
		before = slices.DeleteFunc(before, func(r Row) bool { return string(r.UserID) == out })
		sorter := extsort.New(1<<20, &extsort.Memory{Room: 1 << 20}, nil)
		defer sorter.Close()
		var want []Row
		for _, r := range now {
			if err := sorter.Add(r.UserID, r.Print[:]); err != nil {
				t.Fatal(err)
			}
			if i := slices.Index(idsOf(before), string(r.UserID)); i >= 0 && before[i].Print == r.Print {
				r = before[i]
				r.Notes = Note{9, Member}.Append(slices.Clone(r.Notes))
			}
			if string(r.UserID) != out {
				want = append(want, r)
			}
		}
		if err := sorter.Finish(); err != nil {
			t.Fatal(err)
		}
		h := Header{ID: NewID()}
		defer os.Remove(write(t, state, h, before))
		notesOf := func(id []byte, before *Row) (Notes, bool, error) {
			if before != nil {
				return Note{9, Member}.Append(slices.Clone(before.Notes)), string(id) == out, nil
			}
			return now[slices.Index(idsOf(now), string(id))].Notes, string(id) == out, nil
		}
		written := Header{ID: NewID()}
		if _, err := Write(state, written, NewRows(sorter.Stream(extsort.Span{}, 0)), h.Name(), notesOf); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(Path(state, written.Name()))
		list, err := Open(state, written.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer list.Close()
		if got, err := read(list); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("the list has %v, not %v: %v", got, want, err)
		}
		_, err = Write(filepath.Join(state, "state.db"), written, NewRows(sorter.Stream(extsort.Span{}, 0)), "", notesOf)
		if !errors.As(err, new(WriteError)) {
			t.Fatalf("where nothing can be written: %v", err)
		}
	})
}

// TestLongList: a list that does not fit into memory, of short rows and of some as long as they may be,
// is what was written, in whatever pieces it comes; cut off anywhere it is damaged.
func TestLongList(t *testing.T) {
	state, h := filepath.Join(t.TempDir(), "state.db"), Header{ID: NewID()}
	var rows []Row
	for i := range 30_000 {
		row := Row{UserID: fmt.Appendf(nil, "user-%06d", i), Print: [16]byte{byte(i), byte(i >> 8)}}
		for n := range i % 4 {
			row.Notes = Note{uint32(n), Said(n)}.Append(row.Notes)
		}
		if i%7_000 == 6_999 {
			row.Notes = bytes.Repeat(notes(Note{1, Member}), maxRow-100)
		}
		rows = append(rows, row)
	}
	text, err := os.ReadFile(write(t, state, h, rows))
	if err != nil {
		t.Fatal(err)
	}
	if len(text) < 4*bufferLen {
		t.Fatalf("the list has %d bytes", len(text))
	}
	for name, from := range map[string]io.Reader{"whole": bytes.NewReader(text), "in halves": iotest.HalfReader(bytes.NewReader(text))} {
		r, err := NewReader(from)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := read(r)
		if err != nil || len(got) != len(rows) {
			t.Fatalf("%s: %d rows, %v", name, len(got), err)
		}
		for i := range rows {
			if !bytes.Equal(got[i].UserID, rows[i].UserID) || got[i].Print != rows[i].Print || !bytes.Equal(got[i].Notes, rows[i].Notes) {
				t.Fatalf("%s: row %d is %s", name, i, got[i].UserID)
			}
		}
	}
	for size := len(text) - 1; size > 0; size -= len(text) / 50 {
		r, err := NewReader(bytes.NewReader(text[:size]))
		if err == nil {
			_, err = read(r)
		}
		if err == nil {
			t.Errorf("%d of %d bytes are no damaged list", size, len(text))
		}
	}
}

// BenchmarkRead reads a list of rows without notes, as most are.
func BenchmarkRead(b *testing.B) {
	state, h := filepath.Join(b.TempDir(), "state.db"), Header{ID: NewID()}
	var rows []Row
	for i := range 20_000 {
		rows = append(rows, Row{UserID: fmt.Appendf(nil, "user-%09d", i)})
	}
	text, err := os.ReadFile(write(b, state, h, rows))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		for r.Next() != nil {
		}
		if r.Err() != nil {
			b.Fatal(r.Err())
		}
	}
}
