package extsort

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
)

type row struct{ id, payload string }

func drain(t interface{ Fatal(...any) }, s Stream) []row {
	var rows []row
	for {
		userID, payload, ok := s.Next()
		if !ok {
			break
		}
		rows = append(rows, row{string(userID), string(payload)})
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return rows
}

// TestSortsAsAStableSortDoes holds the sorter against a stable sort, with runs on disk and without.
func TestSortsAsAStableSortDoes(t *testing.T) {
	dir, memory := t.TempDir(), new(Memory)
	rounds.Check(t, func(t *rapid.T) {
		memory.Room = rapid.SampledFrom([]int64{0, 1 << 18, 1 << 30}).Draw(t, "room")
		s := New(0, memory, TempIn(dir))
		defer s.Close()
		var want []row
		ids := rapid.OneOf(rapid.StringMatching(`[ab]{0,12}`), rapid.StringMatching(`(prefix-[0-9]{1,3}|other-prefix\|1234567890[0-9]{1,12})`), rapid.Just("a\x00"))
		for i, id := range rapid.SliceOf(ids).Draw(t, "ids") {
			payload := fmt.Sprint(i, string(bytes.Repeat([]byte("x"), rapid.SampledFrom([]int{0, 1, 100_000}).Draw(t, "size"))))
			want = append(want, row{id, payload})
			if err := s.Add([]byte(id), []byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortStableFunc(want, func(a, b row) int { return cmp.Compare(a.id, b.id) })
		if err := s.Finish(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a guard may make the merge go over it again
			bounds := rapid.SliceOfDistinct(ids, func(id string) string { return id }).Draw(t, "bounds")
			slices.Sort(bounds)
			var got []row
			part := Span{}
			for _, bound := range bounds {
				part.To = []byte(bound)
				got = append(got, drain(t, s.Stream(part, 4<<10))...)
				part = Span{From: []byte(bound)}
			}
			got = append(got, drain(t, s.Stream(part, 4<<10))...)
			if !slices.Equal(got, want) {
				t.Fatalf("got %d rows %.200q\nwant %d rows %.200q", len(got), got, len(want), want)
			}
		}
	})
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

// TestSortsIdsOfManyPrefixes: ids that begin alike for longer than a ref can tell, some of
// them the same, some of them ending there.
func TestSortsIdsOfManyPrefixes(t *testing.T) {
	s := New(64<<20, &Memory{Room: 64 << 20}, TempIn(t.TempDir()))
	defer s.Close()
	prefixes := []string{"auth0|65f0a1", "google-oauth2|1077", "auth0|65f0a1\x00\x00\x00\x00\x00\x00\x00\x00\x00", ""}
	var want []row
	for i := range 50_000 { // enough for several processors
		r := row{prefixes[i%len(prefixes)] + fmt.Sprint(rand.IntN(1000)), fmt.Sprint(i)}
		if i%7 == 0 {
			r.id = prefixes[i%len(prefixes)]
		}
		want = append(want, r)
		if err := s.Add([]byte(r.id), []byte(r.payload)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(want, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	if got := drain(t, s.Stream(Span{}, 4<<10)); !slices.Equal(got, want) {
		t.Fatalf("got %d rows %.200q\nwant %d rows %.200q", len(got), got, len(want), want)
	}
}

func TestMergerKeepsTheOrderOfStreams(t *testing.T) {
	var parts []Stream
	for i := range 5 {
		s := New(1<<20, new(Memory), TempIn(t.TempDir()))
		for _, id := range []string{"b", "a", "b"} {
			s.Add([]byte(id), fmt.Append(nil, i))
		}
		s.Finish()
		parts = append(parts, s.Stream(Span{}, 4<<10))
	}
	m := NewMerger(parts, 0)
	got := ""
	for {
		userID, payload, ok := m.Next()
		if !ok {
			break
		}
		got += fmt.Sprintf("%s%s%d ", userID, payload, m.Source())
	}
	if want := "a00 a11 a22 a33 a44 b00 b00 b11 b11 b22 b22 b33 b33 b44 b44 "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestDamagedRun: a temporary file that does not hold what was written is an error,
// never a shorter stream: that would turn into exits.
func TestDamagedRun(t *testing.T) {
	for name, damage := range map[string]func(*os.File) error{
		"cut off": func(f *os.File) error { return f.Truncate(100) },
		"zeros":   func(f *os.File) error { _, err := f.WriteAt(make([]byte, 64), 40); return err },
		"no order": func(f *os.File) error {
			_, err := f.WriteAt([]byte{0, 2, 'z', 'z', 1, 'x', 0, 2, 'a', 'a', 1, 'x'}, 0)
			return err
		},
	} {
		s := New(1<<20, new(Memory), TempIn(t.TempDir()))
		for i := range 100 {
			s.Add(fmt.Appendf(nil, "%d", rand.IntN(1e9)), fmt.Append(nil, i))
		}
		if err := s.Finish(); err != nil {
			t.Fatal(err)
		}
		if err := damage(s.spool.file.(*os.File)); err != nil {
			t.Fatal(err)
		}
		stream := s.Stream(Span{}, 4<<10)
		for ok := true; ok; {
			_, _, ok = stream.Next()
		}
		if !errors.Is(stream.Err(), ErrTemp) {
			t.Errorf("%s: %v", name, stream.Err())
		}
		s.Close()
	}
}

// TestShortID: an id that is shorter than what all ids begin with comes from a damaged file.
func TestShortID(t *testing.T) {
	m := NewMerger([]Stream{&memoryStream{bytes: appendRow(nil, []byte("us"), nil)}, &memoryStream{}}, len("user-"))
	if _, _, ok := m.Next(); ok || !errors.Is(m.Err(), ErrTemp) {
		t.Errorf("got %t, %v", ok, m.Err())
	}
}

// FuzzRun: a run is read back as it was written, and no bytes panic or are taken for more
// rows than there are.
func FuzzRun(f *testing.F) {
	f.Add([]byte("user-1user-2user-2"), 6, 3)
	f.Add([]byte{0, 2, 'z', 'z', 1, 'x', 0, 2, 'a', 'a', 1, 'x'}, 1, 2)
	create := TempIn(f.TempDir())
	f.Fuzz(func(t *testing.T, data []byte, size, rows int) {
		rows &= 0xff
		s := Spool{buf: data}
		damaged := &runStream{r: s.section(0, int64(len(data))), left: rows, buf: make([]byte, 16)}
		n, before := 0, ""
		for {
			userID, _, ok := damaged.Next()
			if !ok {
				break
			}
			if n++; string(userID) < before {
				t.Fatalf("%q comes after %q", userID, before)
			}
			before = string(userID)
		}
		if damaged.Err() == nil && n != rows {
			t.Fatalf("%d rows of %d, and no error", n, rows)
		}

		var want []row
		for chunk := range slices.Chunk(data, max(1, size)) {
			want = append(want, row{string(chunk), string(chunk[:len(chunk)/2])})
		}
		slices.SortStableFunc(want, func(a, b row) int { return cmp.Compare(a.id, b.id) })
		s = Spool{Create: create}
		defer s.Close()
		run, err := writeRun(&s, func(yield func(row, userID, payload []byte) error) error {
			for _, r := range want {
				if err := yield(nil, []byte(r.id), []byte(r.payload)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := drain(t, run.stream(&s, Span{}, 16)); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func BenchmarkSort(b *testing.B) {
	b.Run("one prefix", func(b *testing.B) { benchmarkSort(b, "user-") })
	b.Run("two prefixes", func(b *testing.B) { benchmarkSort(b, "auth0|65f0a1", "google-oauth2|1077") })
}

func benchmarkSort(b *testing.B, prefixes ...string) {
	const rows = 500_000
	ids := make([][]byte, rows)
	bytes := 0
	for i := range ids {
		ids[i] = fmt.Appendf(nil, "%s%08d", prefixes[i%len(prefixes)], i*7919%rows)
		bytes += len(ids[i])
	}
	b.SetBytes(int64(bytes))
	dir := b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		s := New(256<<20, &Memory{Room: 256 << 20}, TempIn(dir))
		for _, id := range ids {
			if err := s.Add(id, []byte{0, 3}); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.Finish(); err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

func BenchmarkMerge(b *testing.B) {
	const rows = 200_000
	var sorters []*Sorter
	for i := range 10 {
		s := New(256<<20, &Memory{Room: 256 << 20}, TempIn(b.TempDir()))
		for n := range rows {
			s.Add(fmt.Appendf(nil, "user-%08d", n*(i+1)), []byte{0, 3})
		}
		s.Finish()
		sorters = append(sorters, s)
	}
	b.ReportAllocs()
	for b.Loop() {
		var parts []Stream
		for _, s := range sorters {
			parts = append(parts, s.Stream(Span{}, 4<<10))
		}
		m := NewMerger(parts, 0)
		for ok := true; ok; {
			_, _, ok = m.Next()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(10*rows), "ns/row")
}
