package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"gleapsync/internal/attr"
	"gleapsync/internal/rounds"
)

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
