package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
)

func open(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(Options{Path: path, Project: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newStore returns a store whose file is sound when the test ends.
func newStore(t testing.TB) *Store {
	t.Helper()
	s := newDoomed(t)
	t.Cleanup(func() {
		if _, err := Verify(s); err != nil {
			t.Errorf("at the end the file is not sound: %v", err)
		}
	})
	return s
}

// newDoomed returns a store whose file the test is free to damage or to remove.
func newDoomed(t testing.TB) *Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	if err := s.Begin([]Attribute{{ID: 0, Key: "vip", Kind: "audience", Name: "VIP"}, {ID: 1, Key: "orders", Kind: "trait", Name: "Orders"}}, 1, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func commit(s *Store, acks []Acknowledgement, parked []Parked, pace []byte) error {
	_, err := s.Commit(Delivery{Acks: acks, Parked: parked, Pace: pace})
	return err
}

func ack(id string, attribute uint32, v attr.Value) Acknowledgement {
	return Acknowledgement{UserID: []byte(id), At: time.Unix(1_800_000_000, 0), Attributes: []Change{{attribute, v}}, Unpark: true, Epoch: 1}
}

// dump returns all records as "id attribute=value …".
func dump(t testing.TB, s *Store) []string {
	t.Helper()
	var lines []string
	records := s.Records()
	for records.Next() {
		var r Record
		if err := r.Decode(records.Record()); err != nil {
			t.Fatal(err)
		}
		line := string(records.UserID())
		for _, k := range r.Attributes {
			line += fmt.Sprintf(" %d=%s", k.ID, k.Value.AppendJSON(nil))
		}
		lines = append(lines, line)
	}
	if records.Err() != nil {
		t.Fatal(records.Err())
	}
	return lines
}

func TestCommit(t *testing.T) {
	s := newStore(t)
	if err := commit(s, []Acknowledgement{
		ack("u2", 0, attr.OfBool(true)), ack("u1", 0, attr.OfBool(true)), ack("u1", 1, attr.OfNumber([]byte("3"))),
	}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := commit(s, []Acknowledgement{ack("u2", 0, attr.OfBool(false)), ack("u1", 1, attr.OfNumber([]byte("4")))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := dump(t, s), []string{"u1 0=true 1=4", "u2 0=false"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	o, err := open(t, s.path).Overview()
	if err != nil || o.Attributes[0].Members != 1 || o.Attributes[1].Members != 1 || o.Attributes[1].Key != "orders" {
		t.Errorf("overview %+v, %v", o, err)
	}
	info, _ := os.Stat(s.path)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
}

func TestPartialAcknowledgement(t *testing.T) {
	s := newStore(t)
	if err := commit(s, []Acknowledgement{ack("u1", 0, attr.OfBool(false))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	part := ack("u1", 0, attr.OfBool(true))
	part.Unpark, part.Epoch = false, 0
	part.Fields = []Field{{1, []byte("a@x.io")}}
	if err := commit(s, []Acknowledgement{part}, []Parked{{UserID: "u1", Status: 400, Last: time.Unix(1, 0)}}, nil); err != nil {
		t.Fatal(err)
	}
	c, err := s.Contact("u1")
	r := c.Record
	if err != nil || r.Epoch != 1 || len(r.Fields) != 1 || r.Fields[0] != s.FieldHash(1, []byte("a@x.io")) {
		t.Errorf("record %+v, %v", r, err)
	}
	if parked, _ := s.Parked(); len(parked) != 1 || parked[0].Attempts != 1 {
		t.Errorf("parked %+v", parked)
	}
	if err := commit(s, nil, []Parked{{UserID: "u1", Status: 422, Last: time.Unix(2, 0)}}, nil); err != nil {
		t.Fatal(err)
	}
	if parked, _ := s.Parked(); parked[0].Attempts != 2 || !parked[0].First.Equal(time.Unix(1, 0)) || parked[0].Status != 422 {
		t.Errorf("parked %+v", parked)
	}
	if err := s.Begin(nil, 5, nil); err != nil {
		t.Fatal(err)
	}
	part.Unpark, part.Epoch = true, 5
	if err := commit(s, []Acknowledgement{part}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if c, _ := s.Contact("u1"); c.Record.Epoch != 5 {
		t.Errorf("the complete record's epoch is %d", c.Record.Epoch)
	}
	if parked, _ := s.Parked(); len(parked) != 0 {
		t.Errorf("still parked: %+v", parked)
	}
}

// TestModel does random work on a store and on a map, opening the file anew at
// random, and checks with bbolt after each step that the file is sound.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	rounds.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "state.db")
		os.Remove(path)
		s, err := Open(Options{Path: path, Project: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		model := map[string]string{}
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			if err := s.Begin([]Attribute{{ID: 0, Key: "vip"}}, 1, nil); err != nil {
				t.Fatal(err)
			}
			var acks []Acknowledgement
			for _, id := range rapid.SliceOf(rapid.StringMatching(`[a-c]{1,3}`)).Draw(t, "ids") {
				v := attr.OfBool(rapid.Bool().Draw(t, "value"))
				acks = append(acks, ack(id, 0, v))
				model[id] = fmt.Sprintf("%s 0=%s", id, v.AppendJSON(nil))
			}
			if err := commit(s, acks, nil, nil); err != nil {
				t.Fatal(err)
			}
			if rapid.Bool().Draw(t, "reopen") {
				if s, err = Open(Options{Path: path, Project: "acme"}); err != nil {
					t.Fatal(err)
				}
			}
			checkFile(t, path)
		}
		var got []string
		records := s.Records()
		for records.Next() {
			var r Record
			if err := r.Decode(records.Record()); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s 0=%s", records.UserID(), r.Find(0).Value.AppendJSON(nil)))
		}
		want := slices.Sorted(maps.Values(model))
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		members := 0
		for _, line := range want {
			if strings.HasSuffix(line, "true") {
				members++
			}
		}
		if o, err := s.Overview(); err != nil || o.Attributes[0].Members != members {
			t.Fatalf("%d members, the file says %+v, %v", members, o.Attributes, err)
		}
	})
}

func checkFile(t interface{ Fatal(...any) }, path string) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsInSlices(t *testing.T) {
	s := newStore(t)
	var acks []Acknowledgement
	long := attr.OfString(bytes.Repeat([]byte("x"), 10_000))
	for i := range 1000 {
		acks = append(acks, ack(fmt.Sprintf("u%04d", i), 1, long)) // more than two slices
	}
	if err := commit(s, acks, nil, nil); err != nil {
		t.Fatal(err)
	}
	records, n := s.Records(), 0
	for records.Next() {
		if want := fmt.Sprintf("u%04d", n); string(records.UserID()) != want {
			t.Fatalf("record %d is %s", n, records.UserID())
		}
		if n++; n == 100 { // a commit in between is not shut out
			if err := commit(s, []Acknowledgement{ack("u0999", 0, attr.OfBool(true))}, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n != 1000 || records.Err() != nil {
		t.Errorf("%d records, %v", n, records.Err())
	}
}

func TestRuns(t *testing.T) {
	s := newStore(t)
	for i := range keepRuns + 3 {
		applied := map[uint32]Applied{0: {Fingerprint: fmt.Sprint(i)}}
		if err := s.Finish(Result{Run: fmt.Sprintf("run-%04d", i), Report: fmt.Appendf(nil, `{"run":%d}`, i), Applied: applied, Resynced: 1}); err != nil {
			t.Fatal(err)
		}
	}
	all, last, err := s.Reports("", 1<<20)
	if err != nil || len(all) != keepRuns || last != "" || string(all[0]) != fmt.Sprintf(`{"run":%d}`, keepRuns+2) {
		t.Errorf("%d runs are kept, %q is left, %v", len(all), last, err)
	}
	// Piece by piece they are the same, also when the run that a piece ended with is gone.
	for size, want := range map[int]struct {
		reports int
		last    string
	}{0: {1, "run-0009"}, 30: {2, "run-0008"}, 1 << 20: {7, ""}} {
		reports, last, err := s.Reports("run-0010", size)
		if err != nil || len(reports) != want.reports || last != want.last || string(reports[0]) != `{"run":9}` {
			t.Errorf("%d bytes before run 10: %s, %q, %v", size, reports, last, err)
		}
	}
	for id, want := range map[string]string{"": "run-0502", "run-0502": "run-0501", "run-9999": "run-0502", "run-0010-gone": "run-0010", "run-0003": "", "a": ""} {
		if _, last, err := s.Reports(id, 0); err != nil || last != want {
			t.Errorf("before %q: %q, %v", id, last, err)
		}
	}
	if run, err := s.Report("run-0007"); err != nil || string(run) != `{"run":7}` {
		t.Errorf("run 7: %s, %v", run, err)
	}
	if run, err := s.Report("run-0000"); err != nil || run != nil {
		t.Errorf("run 0: %s, %v", run, err)
	}
	if o, _ := s.Overview(); o.Resynced != 1 || o.Attributes[0].Applied.Fingerprint != fmt.Sprint(keepRuns+2) {
		t.Errorf("overview %+v", o)
	}
}

func TestNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	if s.Exists() || s.Records().Next() {
		t.Error("there is something in no file")
	}
	if c, err := s.Contact("u1"); err != nil || c.Record.Acknowledged != 0 {
		t.Errorf("contact of no file: %+v, %v", c, err)
	}
	if o, err := s.Overview(); err != nil || o.Epoch != 1 {
		t.Errorf("overview of no file: %+v, %v", o, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("looking created the file")
	}
	if _, err := Open(Options{Path: path, MustExist: true}); err == nil {
		t.Error("must_exist is not looked at")
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	whole := newStore(t)
	if err := commit(whole, []Acknowledgement{ack("u1", 0, attr.OfBool(true))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(whole.path)
	if err != nil {
		t.Fatal(err)
	}
	change := func(fn func(meta *bbolt.Bucket) error) func(path string) {
		return func(path string) {
			os.WriteFile(path, content, 0o600)
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Update(func(tx *bbolt.Tx) error { return fn(tx.Bucket(bucketMeta)) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		make func(path string)
		want string
	}{
		"empty":     {func(path string) { os.WriteFile(path, nil, 0o600) }, "is empty: restore a backup"},
		"no bbolt":  {func(path string) { os.WriteFile(path, bytes.Repeat([]byte("text "), 5000), 0o600) }, "is not a state file of gleapsync or lost its start"},
		"truncated": {func(path string) { os.WriteFile(path, content[:3*os.Getpagesize()], 0o600) }, "bytes are there: restore a backup"},
		"project":   {change(func(m *bbolt.Bucket) error { return put(m, keyProject, []byte("other")) }), `belongs to the project "other", not to "acme"`},
		"version":   {change(func(m *bbolt.Bucket) error { return put(m, keyFormat, []byte{99}) }), "has format version 99, this gleapsync reads versions up to 4"},
		"no bucket": {change(func(m *bbolt.Bucket) error { return m.Tx().DeleteBucket(bucketRecords) }), `the bucket "records" is missing`},
		"not ours":  {change(func(m *bbolt.Bucket) error { return m.Tx().DeleteBucket(bucketMeta) }), "is a bbolt file, but not a state file of gleapsync"},
	} {
		path := filepath.Join(t.TempDir(), "state.db")
		test.make(path)
		before, _ := os.ReadFile(path)
		_, err := Open(Options{Path: path, Project: "acme"})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s: opening changed the file", name)
		}
	}
}

// TestTwoFirstRuns: a store that was opened before there was a file does not replace
// the one that another run made meanwhile.
func TestTwoFirstRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	late, early := open(t, path), open(t, path)
	if err := early.Begin([]Attribute{{ID: 0, Key: "vip"}}, 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := commit(early, []Acknowledgement{ack("u1", 0, attr.OfBool(true))}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := late.Begin(nil, 1, nil); err == nil {
		t.Error("a second file was made")
	}
	release, err := late.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := late.Begin(nil, 1, nil); err != nil {
		t.Error(err)
	}
	if got := dump(t, late); len(got) != 1 {
		t.Errorf("records: %v", got)
	}
}

func TestLock(t *testing.T) {
	s := newStore(t)
	release, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	_, err = open(t, s.path).Lock()
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || time.Since(locked.Since) > time.Minute {
		t.Errorf("a second lock: %v", err)
	}
	release()
	release, err = open(t, s.path).Lock()
	if err != nil {
		t.Fatal(err)
	}
	release()
}

func BenchmarkCommit(b *testing.B) {
	s := newStore(b)
	const batch = 10_000
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		acks := make([]Acknowledgement, batch)
		for i := range acks {
			acks[i] = ack(fmt.Sprintf("user-%09d", n), 0, attr.OfBool(true))
			n++
		}
		if err := commit(s, acks, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
}

func BenchmarkRecords(b *testing.B) {
	s := newStore(b)
	acks := make([]Acknowledgement, 200_000)
	for i := range acks {
		acks[i] = ack(fmt.Sprintf("user-%09d", i), 0, attr.OfBool(true))
	}
	if err := commit(s, acks, nil, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for r := s.Records(); r.Next(); {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(acks)), "ns/record")
}

// TestReadersDoNotHoldUpCommits: however much is read, a commit does not wait for a
// second. The readers open the file like other processes.
func TestReadersDoNotHoldUpCommits(t *testing.T) {
	s := filled(t, rounds.Of(20_000, 100_000))
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	var read atomic.Int64
	for range 3 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := everything(open(t, s.path)); err != nil {
					t.Error(err)
				}
				read.Add(1)
			}
		})
	}
	var took []time.Duration
	for read.Load() < 20 && !t.Failed() {
		time.Sleep(5 * time.Millisecond) // a run has other work between its commits too, in which readers get in
		begin := time.Now()
		if err := commit(s, []Acknowledgement{ack(fmt.Sprintf("new-%d", len(took)), 0, attr.OfBool(true))}, nil, nil); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	stop()
	readers.Wait()
	slices.Sort(took)
	slices.Reverse(took)
	t.Logf("the longest of %d commits took %s", len(took), took[:min(len(took), 10)])
	// A busy disk may stall a commit now and then, readers would again and again.
	if len(took) > 4 && took[4] > time.Second {
		t.Errorf("commits took %s", took[:5])
	}
}

// TestRecordRanges: several readers find together what one finds, each record once; and
// that one is missing is found by the last of them.
func TestRecordRanges(t *testing.T) {
	s := fill(t, newDoomed(t), 1000)
	var all []string
	for r := s.Records(); r.Next(); {
		all = append(all, string(r.UserID()))
	}
	bounds := [][]byte{{}, []byte(all[0]), []byte(all[250]), append([]byte(all[500]), 0), []byte("~")}
	read := func() (ids []string, errs []error) {
		for _, r := range s.RecordRanges(bounds) {
			for r.Next() {
				ids = append(ids, string(r.UserID()))
			}
			errs = append(errs, r.Err())
		}
		return ids, errs
	}
	if ids, errs := read(); !slices.Equal(ids, all) || errors.Join(errs...) != nil {
		t.Fatalf("%d of %d records, %v", len(ids), len(all), errs)
	}
	if err := s.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketRecords).Delete([]byte(all[300])) }); err != nil {
		t.Fatal(err)
	}
	_, errs := read()
	last := len(errs) - 1
	if errors.Join(errs[:last]...) != nil || !errors.Is(errs[last], ErrDamaged) {
		t.Errorf("with a record missing: %v", errs)
	}
}
