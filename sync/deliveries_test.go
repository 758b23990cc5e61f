package sync

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/internal/bucket"
	"gleapsync/internal/deliveries"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/s3test"
)

// TestDeliveriesModel: over random days, with runs that are killed or cut off at any call, no
// value that the state knows is without a line in the log, and the log played again is what
// Gleap has in the end.
func TestDeliveriesModel(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		testDeliveries(t, func(dir string) deliveries.Place { return deliveries.Place{Dir: filepath.Join(dir, "deliveries")} })
	})
	t.Run("bucket", func(t *testing.T) {
		if !bucket.Built {
			t.Skip("this build has no object storage")
		}
		server, round := s3test.Start(t), 0
		testDeliveries(t, func(dir string) deliveries.Place {
			round++
			a, err := bucket.Parse(server.URL(fmt.Sprintf("log/%d", round)))
			if err != nil {
				t.Fatal(err)
			}
			return deliveries.Place{Bucket: deliveries.In(a, filepath.Join(dir, "spool"))}
		})
	})
}

func testDeliveries(t *testing.T, place func(dir string) deliveries.Place) {
	rounds.Check(t, func(r *rapid.T) {
		cleared := trait("c.csv", "c")
		cleared.ClearMissing = true
		w := newWorld(t, audience("a.csv", "a"), trait("t.csv", "t"), cleared)
		defer w.server.Close()
		w.options.Deliveries = place(w.dir)
		for i := range w.options.Exports {
			w.options.Exports[i].AllowEmpty = true
		}
		rows := func(name, header string, cells ...string) {
			text := header + "\n"
			for _, id := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"u1", "u2", "u3", "u4"}), rapid.ID).Draw(r, name) {
				text += id + rapid.SampledFrom(cells).Draw(r, "cells") + "\n"
			}
			w.write(r, name, text)
		}
		day := func() {
			rows("a.csv", "user_id", "")
			rows("t.csv", "user_id,value", ",1", ",2", ",3")
			rows("c.csv", "user_id,value", ",1", ",2", ",")
		}
		for range rapid.IntRange(1, 5).Draw(r, "days") {
			day()
			runner := w.runner(r)
			switch rapid.SampledFrom([]string{"", "kill", "cut", "cut and kill"}).Draw(r, "end") {
			case "kill":
				runner.ledger = &killedLedger{ledger: runner.store}
			case "cut":
				runner.client = w.cut(r, runner.client)
			case "cut and kill":
				runner.ledger, runner.client = &killedLedger{ledger: runner.store}, w.cut(r, runner.client)
			}
			_, _ = runner.Sync(t.Context(), inputs.Request{Full: rapid.IntRange(0, 9).Draw(r, "full") == 0})
			told, _ := w.replay(r)
			for id, known := range w.known(r) {
				for key, value := range known {
					text, _ := json.Marshal(value)
					if !slices.Contains(told[id][key], string(text)) {
						r.Fatalf("the state has %s = %s of %s, and no line of the log: %v", key, text, id, told[id])
					}
				}
			}
		}
		day()
		w.sync(r, inputs.Request{})
		_, last := w.replay(r)
		for id, want := range w.contacts() {
			if got := asJSON(last[id]); got != want {
				r.Fatalf("%s: Gleap has %s, and the log played again gives %s", id, want, got)
			}
		}
	})
}

// replay returns what the log has of each contact: all values of each key, and what is left of
// them in the end.
func (w *world) replay(t fataler) (told map[string]map[string][]string, last map[string]map[string]any) {
	told, last = map[string]map[string][]string{}, map[string]map[string]any{}
	if err := w.options.Deliveries.Read(context.Background(), deliveries.Query{}, func(d deliveries.Delivery) error {
		if told[d.UserID] == nil {
			told[d.UserID], last[d.UserID] = map[string][]string{}, map[string]any{}
		}
		for key, text := range d.Set {
			told[d.UserID][key] = append(told[d.UserID][key], string(text))
			var value any
			if err := json.Unmarshal(text, &value); err != nil {
				return err
			}
			last[d.UserID][key] = value
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, attributes := range last {
		maps.DeleteFunc(attributes, func(_ string, v any) bool { return v == nil })
	}
	return told, last
}
