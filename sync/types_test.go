package sync

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"gleapsync/internal/events"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
)

// TestTypes: the first delivery decides the type of all values, and what does not fit it
// later says nothing.
func TestTypes(t *testing.T) {
	w := newWorld(t, trait("total.csv", "total"))
	w.options.Guard.MaxInvalid, _ = guard.ParseLimit("40%")
	w.write(t, "total.csv", "user_id,value\nu1,829.10\nu2,450.00\nu3,7\n")
	if e := w.sync(t, inputs.Request{}).Exports[0]; e.Type != values.Number || w.contacts()["u1"] != `{"total":829.1}` || w.contacts()["u2"] != `{"total":450}` {
		t.Fatalf("%+v %s", e, w.contacts())
	}
	// One value that does not fit: its contact keeps what it has, the others go.
	w.write(t, "total.csv", "user_id,value\nu1,gold\nu2,451.50\nu3,8\n")
	e := w.sync(t, inputs.Request{}).Exports[0]
	if e.Status != runs.StatusApplied || e.Invalid != 1 || e.Changed != 2 || e.Withheld != 0 || len(e.Problems) != 1 || e.Problems[0].Line != 2 || e.Problems[0].Column == "" {
		t.Errorf("%+v", e)
	}
	if c := w.contacts(); c["u1"] != `{"total":829.1}` || c["u2"] != `{"total":451.5}` {
		t.Error(c)
	}
	// Too many: the attribute is held, and the reason says what ends it.
	w.write(t, "total.csv", "user_id,value\nu1,gold\nu2,silver\nu3,9\n")
	e = w.sync(t, inputs.Request{}).Exports[0]
	if e.Status != runs.StatusHeld || !strings.Contains(e.Reason, `set its type to "string"`) {
		t.Errorf("%+v", e)
	}
	w.options.Exports[0].Attributes[0].Type = values.Text
	report := w.sync(t, inputs.Request{})
	if c := w.contacts(); report.Outcome != runs.Complete || report.Exports[0].Type != values.Text || c["u1"] != `{"total":"gold"}` || c["u3"] != `{"total":"9"}` {
		t.Errorf("%s %+v %s", report.Outcome, report.Exports[0], c)
	}
	w.options.Exports[0].Attributes[0].Type = values.Auto // the state knows what it is
	w.write(t, "total.csv", "user_id,value\nu1,1\nu2,2\nu3,9\n")
	if report := w.sync(t, inputs.Request{}); report.Exports[0].Type != values.Text || w.contacts()["u1"] != `{"total":"1"}` {
		t.Errorf("%+v %s", report.Exports[0], w.contacts())
	}
}

// forgetTypes makes a state one that was written before types were kept.
func forgetTypes(t *testing.T, w *world) {
	db, err := bbolt.Open(filepath.Join(w.dir, "state.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("attributes"))
		return b.ForEach(func(key, sealed []byte) error {
			var a map[string]any
			if err := json.Unmarshal(sealed[:len(sealed)-crc32.Size], &a); err != nil {
				return err
			}
			delete(a, "type")
			value, _ := json.Marshal(a)
			table := crc32.MakeTable(crc32.Castagnoli)
			return b.Put(key, binary.BigEndian.AppendUint32(value, crc32.Update(crc32.Checksum(key, table), table, value)))
		})
	}); err != nil {
		t.Fatal(err)
	}
}

// TestTypesOfFormerStates: a state without types goes on. At the next reading the type is
// decided, and who has a value of another one is told again; it is no news.
func TestTypesOfFormerStates(t *testing.T) {
	w := newEventsWorld(t, trait("total.csv", "total"))
	w.options.Exports[0].Attributes[0].Type = values.Text
	w.write(t, "total.csv", "user_id,value\nu1,829.10\nu2,00123\nu4,5\n")
	w.sync(t, inputs.Request{}) // as texts
	w.options.Exports[0].Attributes[0].Type = values.Auto
	forgetTypes(t, w)
	calls, events := w.gleap.Counts().Identify, len(w.gleap.Events())

	w.write(t, "total.csv", "user_id,value\nu1,829.10\nu3,8\n")
	report := w.sync(t, inputs.Request{})
	// u1 has the text of the number, u4 is not in the export and has one too, u2's is none.
	if e := report.Exports[0]; report.Outcome != runs.Complete || e.Type != values.Number || e.Retyped != 2 || e.Changed != 1 {
		t.Errorf("%s %+v", report.Outcome, e)
	}
	if c := w.contacts(); c["u1"] != `{"total":829.1}` || c["u2"] != `{"total":"00123"}` || c["u3"] != `{"total":8}` || c["u4"] != `{"total":5}` {
		t.Error(c)
	}
	if got := w.gleap.Counts().Identify - calls; got != 3 {
		t.Errorf("%d calls", got)
	}
	if got := len(w.gleap.Events()) - events; got != 1 {
		t.Errorf("%d events, only u3 has another value", got)
	}
	calls = w.gleap.Counts().Identify
	if w.sync(t, inputs.Request{}); w.gleap.Counts().Identify != calls {
		t.Error("a run without changes makes calls")
	}
}

// TestPropertyTypes: all values of a property of an event have one type, also in files that
// come later.
func TestPropertyTypes(t *testing.T) {
	w := newEventsWorld(t, audience("vip.csv", "vip"))
	w.options.Tracks = []events.Export{trackExport(w)}
	w.write(t, "vip.csv", list("u1"))
	w.writeCalls(t, "1", call("u1", "Order", "m1", `"total":5,"code":"007","on":"t"`)+call("u2", "order", "m2", `"total":"7.50","code":12,"on":false`)+
		call("u3", "Order", "m3", `"total":"NaN","code":"[]"`)+call("u4", "Cart", "m4", `"total":"gold"`))
	sent := 0
	w.sync(t, inputs.Request{})
	if got, want := w.told(&sent), `u1 Order {"code":"007","on":true,"total":5} 2026-03-01T12:00:00Z
u2 order {"code":"12","on":false,"total":7.5} 2026-03-01T12:00:00Z
u3 Order {} 2026-03-01T12:00:00Z
u4 Cart {"total":"gold"} 2026-03-01T12:00:00Z`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	w.writeCalls(t, "2", call("u1", "Order", "m5", `"total":"gold","code":13`))
	report := w.sync(t, inputs.Request{})
	e := report.Exports[len(report.Exports)-1]
	if got, want := w.told(&sent), `u1 Order {"code":"13"} 2026-03-01T12:00:00Z`; got != want || e.LeftOut != 1 || len(e.Problems) != 1 || e.Problems[0].Line != 1 || e.Problems[0].Reason != "the property came as number before and the value is none: the event goes without it" {
		t.Errorf("got %s, want %s, %+v", got, want, e)
	}
}

// TestPropertyTypesOfHeld: an export of events that is held decides no type.
func TestPropertyTypesOfHeld(t *testing.T) {
	w := newEventsWorld(t, audience("vip.csv", "vip"))
	w.options.Tracks = []events.Export{trackExport(w), trackExport(w)}
	w.options.Tracks[1].Source = "more"
	w.write(t, "vip.csv", list("u1"))
	if err := os.Mkdir(filepath.Join(w.dir, "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.writeCalls(t, "1", call("u1", "Order", "m1", `"total":5`)+"{broken}\n{broken}\n")
	w.write(t, "more/1", call("u2", "Order", "m2", `"code":"7"`))
	sent := 0
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Held || w.told(&sent) != `u2 Order {"code":7} 2026-03-01T12:00:00Z` {
		t.Errorf("%s", report.Outcome)
	}
	w.writeCalls(t, "1", call("u1", "Order", "m1", `"total":5`)+call("u1", "Order", "m3", `"total":"gold"`))
	w.sync(t, inputs.Request{})
	if got, want := w.told(&sent), `u1 Order {"total":"5"} 2026-03-01T12:00:00Z
u1 Order {"total":"gold"} 2026-03-01T12:00:00Z`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestUnknownMetaStays: an older program that does not know of types reads such a state.
func TestUnknownMetaStays(t *testing.T) {
	w := newWorld(t, trait("total.csv", "total"))
	w.write(t, "total.csv", "user_id,value\nu1,1\n")
	w.sync(t, inputs.Request{})
	db, err := bbolt.Open(filepath.Join(w.dir, "state.db"), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error {
		if v := tx.Bucket([]byte("meta")).Get([]byte("format")); v[0] != 1 {
			t.Errorf("the format version rose to %d", v[0])
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(w.dir, "state.db"))
	_ = os.Remove(filepath.Join(w.dir, "state.db.lock"))
}
