package sync

import (
	"context"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/damping"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
)

type value = attr.Value

func bools(b bool) value       { return attr.OfBool(b) }
func number(text string) value { return attr.OfNumber([]byte(text)) }
func nothing(null bool) value {
	if null {
		return attr.OfNull()
	}
	return value{}
}

// TestDamping: a change that is not worth a call goes along with others, and delays no
// membership. What is held back for its time is read again once that is over.
func TestDamping(t *testing.T) {
	table := inputs.Export{
		Export: engage.Export{Source: "t.csv", Attributes: []engage.Attribute{
			{Kind: engage.Trait, Key: "login", Name: "login", Column: "login", Type: values.Auto},
			{Kind: engage.Trait, Key: "revenue", Name: "revenue", Column: "revenue", Type: values.Auto},
			{Kind: engage.Trait, Key: "level", Name: "level", Column: "level", Type: values.Auto},
		}},
		Damping: map[string]damping.Rule{"login": {MinInterval: 24 * time.Hour}, "revenue": {Tolerance: damping.Tolerance{Share: 0.1}}},
	}
	w := newWorld(t, table, audience("a.csv", "a"))
	w.write(t, "t.csv", "user_id,login,revenue,level\nu1,mon,100,1\nu2,mon,100,1\nu3,mon,100,1\nu4,mon,100,1\nu6,,50,\n")
	w.write(t, "a.csv", list("u9"))
	w.sync(t, inputs.Request{})
	w.write(t, "t.csv", "user_id,login,revenue,level\nu1,tue,100,1\nu2,mon,105,1\nu3,tue,105,2\nu4,tue,105,1\nu5,tue,7,1\nu6,,52,\n")
	w.write(t, "a.csv", list("u9", "u4"))
	report := w.sync(t, inputs.Request{})
	login, revenue := report.Exports[0], report.Exports[1]
	if report.Outcome != runs.Complete || report.Contacts.Sent != 3 || login.Damped != 1 || login.Changed != 3 || revenue.Damped != 2 || revenue.Changed != 3 {
		t.Errorf("%+v\n%+v\n%+v", report.Contacts, login, revenue)
	}
	if report.Exports[2].CallsAlone != 1 || login.CallsAlone != 0 || report.Exports[3].CallsAlone != 1 {
		t.Errorf("%+v", report.Exports)
	}
	want := map[string]string{
		"u1": `{"level":1,"login":"mon","revenue":100}`, "u2": `{"level":1,"login":"mon","revenue":100}`,
		"u3": `{"level":2,"login":"tue","revenue":105}`, "u4": `{"a":true,"level":1,"login":"tue","revenue":105}`,
		"u5": `{"level":1,"login":"tue","revenue":7}`,
	}
	for id, has := range want {
		if got := w.contacts()[id]; got != has {
			t.Errorf("%s is %s, want %s", id, got, has)
		}
	}
	// Before its time the export is not even read, then it is, whatever its fingerprint.
	if report := w.sync(t, inputs.Request{}); report.Exports[0].Status != runs.StatusUnchanged || report.Exports[0].Rows != 0 || report.Contacts.Planned != 0 {
		t.Errorf("%+v", report.Exports[0])
	}
	report = w.syncAfter(t, 24*time.Hour)
	if got := w.contacts()["u1"]; report.Contacts.Sent != 1 || report.Exports[0].Status != runs.StatusApplied || report.Exports[0].Changed != 1 || got != `{"level":1,"login":"tue","revenue":100}` {
		t.Errorf("%+v, u1 is %s", report.Contacts, got)
	}
	if report := w.sync(t, inputs.Request{}); report.Exports[0].Status != runs.StatusUnchanged {
		t.Errorf("%+v", report.Exports[0])
	}
	// A full resync has all of it, and other settings are looked at again.
	w.options.Exports[0].Damping = nil
	if planned, err := w.runner(t).Plan(t.Context(), inputs.Request{}); err != nil || planned.Contacts.Planned != 2 {
		t.Errorf("%+v, %v", planned.Contacts, err)
	}
	w.options.Exports[0].Damping = table.Damping
	w.sync(t, inputs.Request{Full: true})
	if got := w.contacts(); got["u2"] != `{"level":1,"login":"mon","revenue":105}` || got["u6"] != `{"revenue":52}` {
		t.Errorf("%v", got)
	}
}

// syncAfter is a sync some time from now.
func (w *world) syncAfter(t fataler, d time.Duration) runs.Report {
	r := w.runner(t)
	r.now = func() time.Time { return now().Add(d) }
	report, err := r.Sync(context.Background(), inputs.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestDampingOfChanges: what a change export said newest goes once its time has come, though
// its file is not read again.
func TestDampingOfChanges(t *testing.T) {
	e := changeExport()
	e.Damping = map[string]damping.Rule{"": {MinInterval: time.Hour}}
	w := newWorld(t, e)
	w.writeEvents(t, "1.json", event("u1", "trait", "level", "tra_1", "1", 1, "m1"))
	w.sync(t, inputs.Request{})
	w.writeEvents(t, "2.json", event("u1", "trait", "level", "tra_1", "2", 2, "m2"))
	if report := w.sync(t, inputs.Request{}); report.Contacts.Planned != 0 || report.Exports[0].Damped != 1 || report.Outcome != runs.Complete {
		t.Errorf("%+v, %+v", report.Contacts, report.Exports)
	}
	if report := w.sync(t, inputs.Request{}); report.Contacts.Planned != 0 || report.Exports[0].Status != runs.StatusUnchanged {
		t.Errorf("%+v", report.Exports)
	}
	w.writeEvents(t, "3.json", event("u2", "trait", "level", "tra_1", "1", 3, "m3"))
	if report := w.sync(t, inputs.Request{}); report.Contacts.Sent != 1 {
		t.Errorf("%+v", report.Contacts)
	}
	if report := w.syncAfter(t, time.Hour); report.Contacts.Sent != 1 || w.contacts()["u1"] != `{"level":2}` {
		t.Errorf("%+v, %v", report.Contacts, w.contacts())
	}
}
