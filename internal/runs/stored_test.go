package runs

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/state"
)

// TestStored: reports come one by one, the latest first, however large all of them are, and
// the last sync of all exports is found behind many others.
func TestStored(t *testing.T) {
	store, err := state.Open(state.Options{Path: filepath.Join(t.TempDir(), "state.db"), Project: "acme"})
	if err != nil {
		t.Fatal(err)
	}
	if last, err := LastWhole(store); last != nil || err != nil {
		t.Errorf("in no file: %+v, %v", last, err)
	}
	const runs = 40
	for i := range runs {
		r := Report{Run: fmt.Sprintf("run-%02d", i), Command: "sync", Error: strings.Repeat("x", 20_000)}
		if i != 2 {
			r.Only = []string{"vip"}
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Finish(state.Result{Run: r.Run, Report: text}); err != nil {
			t.Fatal(err)
		}
	}
	n := runs
	for r, err := range Stored(store) {
		if n--; err != nil || r.Run != fmt.Sprintf("run-%02d", n) || !r.Recorded {
			t.Fatalf("got %s, want run-%02d: %v", r.Run, n, err)
		}
	}
	if n != 0 {
		t.Errorf("%d reports are missing", n)
	}
	if last, err := LastWhole(store); err != nil || last == nil || last.Run != "run-02" {
		t.Errorf("the last whole sync is %+v, %v", last, err)
	}
	for _, most := range []int{0, 1, 30, 1000} {
		all, err := Summaries(store, most)
		if err != nil || len(all) != min(most, runs) || len(all) > 0 && all[0].Run != "run-39" {
			t.Errorf("%d of at most %d summaries, %v", len(all), most, err)
		}
	}
}
