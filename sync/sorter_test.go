package sync

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

	"gleapsync/internal/attr"
	"gleapsync/state"
)

type row struct{ id, payload string }

func drain(t fataler, s stream) []row {
	var rows []row
	for {
		userID, payload, ok := s.next()
		if !ok {
			break
		}
		rows = append(rows, row{string(userID), string(payload)})
	}
	if s.err() != nil {
		t.Fatal(s.err())
	}
	return rows
}

// TestSorter holds the sorter against a stable sort, with runs on disk and without.
func TestSorter(t *testing.T) {
	dir, memory := t.TempDir(), new(memory)
	rapid.Check(t, func(t *rapid.T) {
		memory.room = rapid.SampledFrom([]int64{0, 1 << 18, 1 << 30}).Draw(t, "room")
		s := newSorter(0, memory, tempIn(dir))
		defer s.close()
		var want []row
		ids := rapid.OneOf(rapid.StringMatching(`[ab]{0,12}`), rapid.StringMatching(`(prefix-[0-9]{1,3}|other-prefix\|1234567890[0-9]{1,12})`), rapid.Just("a\x00"))
		for i, id := range rapid.SliceOf(ids).Draw(t, "ids") {
			payload := fmt.Sprint(i, string(bytes.Repeat([]byte("x"), rapid.SampledFrom([]int{0, 1, 100_000}).Draw(t, "size"))))
			want = append(want, row{id, payload})
			if err := s.add([]byte(id), []byte(payload)); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortStableFunc(want, func(a, b row) int { return cmp.Compare(a.id, b.id) })
		if err := s.finish(); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a guard may make the merge go over it again
			bounds := rapid.SliceOfDistinct(ids, func(id string) string { return id }).Draw(t, "bounds")
			slices.Sort(bounds)
			var got []row
			part := span{}
			for _, bound := range bounds {
				part.to = []byte(bound)
				got = append(got, drain(t, s.stream(part, 4<<10))...)
				part = span{from: []byte(bound)}
			}
			got = append(got, drain(t, s.stream(part, 4<<10))...)
			if !slices.Equal(got, want) {
				t.Fatalf("got %d rows %.200q\nwant %d rows %.200q", len(got), got, len(want), want)
			}
		}
	})
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

// TestSorterOfManyPrefixes: ids that begin alike for longer than a ref can tell, some of
// them the same, some of them ending there.
func TestSorterOfManyPrefixes(t *testing.T) {
	s := newSorter(64<<20, &memory{room: 64 << 20}, tempIn(t.TempDir()))
	defer s.close()
	prefixes := []string{"auth0|65f0a1", "google-oauth2|1077", "auth0|65f0a1\x00\x00\x00\x00\x00\x00\x00\x00\x00", ""}
	var want []row
	for i := range 20_000 {
		r := row{prefixes[i%len(prefixes)] + fmt.Sprint(rand.IntN(1000)), fmt.Sprint(i)}
		if i%7 == 0 {
			r.id = prefixes[i%len(prefixes)]
		}
		want = append(want, r)
		if err := s.add([]byte(r.id), []byte(r.payload)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish(); err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(want, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	if got := drain(t, s.stream(span{}, 4<<10)); !slices.Equal(got, want) {
		t.Fatalf("got %d rows %.200q\nwant %d rows %.200q", len(got), got, len(want), want)
	}
}

func TestMergerKeepsTheOrderOfStreams(t *testing.T) {
	var parts []stream
	for i := range 5 {
		s := newSorter(1<<20, new(memory), tempIn(t.TempDir()))
		for _, id := range []string{"b", "a", "b"} {
			s.add([]byte(id), fmt.Append(nil, i))
		}
		s.finish()
		parts = append(parts, s.stream(span{}, 4<<10))
	}
	m := newMerger(parts, 0)
	got := ""
	for {
		userID, payload, ok := m.next()
		if !ok {
			break
		}
		got += fmt.Sprintf("%s%s%d ", userID, payload, m.source())
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
		s := newSorter(1<<20, new(memory), tempIn(t.TempDir()))
		for i := range 100 {
			s.add(fmt.Appendf(nil, "%d", rand.IntN(1e9)), fmt.Append(nil, i))
		}
		if err := s.finish(); err != nil {
			t.Fatal(err)
		}
		if err := damage(s.spool.file.(*os.File)); err != nil {
			t.Fatal(err)
		}
		stream := s.stream(span{}, 4<<10)
		for ok := true; ok; {
			_, _, ok = stream.next()
		}
		if !errors.Is(stream.err(), errTemp) {
			t.Errorf("%s: %v", name, stream.err())
		}
		s.close()
	}
}

// TestShortID: an id that is shorter than what all ids begin with comes from a damaged file.
func TestShortID(t *testing.T) {
	m := newMerger([]stream{&memoryStream{bytes: appendRow(nil, []byte("us"), nil)}, &memoryStream{}}, len("user-"))
	if _, _, ok := m.next(); ok || !errors.Is(m.err(), errTemp) {
		t.Errorf("got %t, %v", ok, m.err())
	}
}

func TestTempDirIsNotThere(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.TempDir = filepath.Join(w.dir, "no", "such", "folder")
	w.options.Memory = 1
	var ids []string
	for i := range 100_000 {
		ids = append(ids, fmt.Sprint(i))
	}
	w.write(t, "a.csv", list(ids...))
	if _, err := w.runner(t).Plan(t.Context(), Request{}); err == nil || !bytes.Contains([]byte(err.Error()), []byte("sync.temp_dir")) {
		t.Errorf("got %v", err)
	}
}

// FuzzRun: a run is read back as it was written, and no bytes panic or are taken for more
// rows than there are.
func FuzzRun(f *testing.F) {
	f.Add([]byte("user-1user-2user-2"), 6, 3)
	f.Add([]byte{0, 2, 'z', 'z', 1, 'x', 0, 2, 'a', 'a', 1, 'x'}, 1, 2)
	create := tempIn(f.TempDir())
	f.Fuzz(func(t *testing.T, data []byte, size, rows int) {
		rows &= 0xff
		s := spool{buf: data}
		damaged := &runStream{r: s.section(0, int64(len(data))), left: rows, buf: make([]byte, 16)}
		n, before := 0, ""
		for {
			userID, _, ok := damaged.next()
			if !ok {
				break
			}
			if n++; string(userID) < before {
				t.Fatalf("%q comes after %q", userID, before)
			}
			before = string(userID)
		}
		if damaged.err() == nil && n != rows {
			t.Fatalf("%d rows of %d, and no error", n, rows)
		}

		var want []row
		for chunk := range slices.Chunk(data, max(1, size)) {
			want = append(want, row{string(chunk), string(chunk[:len(chunk)/2])})
		}
		slices.SortStableFunc(want, func(a, b row) int { return cmp.Compare(a.id, b.id) })
		s = spool{create: create}
		defer s.close()
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
		if got := drain(t, run.stream(&s, span{}, 16)); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// FuzzEntry: decode of append is the same entry, and no bytes panic.
func FuzzEntry(f *testing.F) {
	f.Add([]byte{2, 'u', '1', 1, 0, 3, 2, 1, 'a'})
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again entry
		if e.decode(b) != nil {
			return
		}
		encoded := e.append(nil)
		if err := again.decode(encoded); err != nil || !bytes.Equal(again.append(nil), encoded) || again.calls() != e.calls() {
			t.Fatalf("%x changes to %x, %v", b, encoded, err)
		}
	})
}

func TestLimit(t *testing.T) {
	for _, test := range []struct {
		text  string
		whole int
		most  int // -1: no limit
	}{
		{"30%", 100, 30}, {"30%", 99, 29}, {"0%", 100, 0}, {"100%", 7, 7}, {"0.5%", 1000, 5}, {"10", 3, 10}, {"0", 3, 0}, {" 5 % ", 100, 5},
		{"", 0, -1}, {"%", 0, -1}, {"-1", 0, -1}, {"-1%", 0, -1}, {"101%", 0, -1}, {"NaN%", 0, -1}, {"1.5", 0, -1}, {"ten", 0, -1},
	} {
		l, err := ParseLimit(test.text)
		if err != nil != (test.most < 0) || err == nil && l.Of(test.whole) != test.most {
			t.Errorf("%q of %d: %d, %v", test.text, test.whole, l.Of(test.whole), err)
		}
	}
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
		s := newSorter(256<<20, &memory{room: 256 << 20}, tempIn(dir))
		for _, id := range ids {
			if err := s.add(id, []byte{0, 3}); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.finish(); err != nil {
			b.Fatal(err)
		}
		s.close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

func BenchmarkMerge(b *testing.B) {
	const rows = 200_000
	var sorters []*sorter
	for i := range 10 {
		s := newSorter(256<<20, &memory{room: 256 << 20}, tempIn(b.TempDir()))
		for n := range rows {
			s.add(fmt.Appendf(nil, "user-%08d", n*(i+1)), []byte{0, 3})
		}
		s.finish()
		sorters = append(sorters, s)
	}
	b.ReportAllocs()
	for b.Loop() {
		var parts []stream
		for _, s := range sorters {
			parts = append(parts, s.stream(span{}, 4<<10))
		}
		m := newMerger(parts, 0)
		for ok := true; ok; {
			_, _, ok = m.next()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(10*rows), "ns/row")
}

func BenchmarkEntry(b *testing.B) {
	e := entry{userID: []byte("usr_0123456789abcdef")}
	for id := range uint32(10) {
		e.attributes = append(e.attributes, state.Change{ID: id, Value: attr.OfBool(true)})
	}
	encoded := e.append(nil)
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		if err := e.decode(encoded); err != nil {
			b.Fatal(err)
		}
		buf = e.append(buf[:0])
	}
}
