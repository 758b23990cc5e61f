package state

import (
	"fmt"
	"testing"
)

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
