package sync

import (
	"slices"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/state"
)

// TestMissingFields: a mapped column that no export has is named in every run, and where
// exports contradict each other the first one counts, each time.
func TestMissingFields(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}, {Field: gleap.Phone, Columns: []string{"phon"}}}
	w.write(t, "a.csv", "user_id,email\nu1,one@x.io\nu2,\n")
	w.write(t, "b.csv", "user_id,email\nu1,two@x.io\nu2,b@x.io\nu3,c@x.io\n")
	report := w.sync(t, inputs.Request{})
	if !slices.Equal(report.FieldsMissing, []string{"phon"}) || len(report.FieldsDiffer) != 1 || report.FieldsDiffer["email"] != 1 {
		t.Errorf("%v %v", report.FieldsMissing, report.FieldsDiffer)
	}
	if c := w.contacts(); c["u1"] != `{"a":true,"b":true,"email":"one@x.io"}` || c["u2"] != `{"a":true,"b":true,"email":"b@x.io"}` {
		t.Error(c)
	}
	if report := w.sync(t, inputs.Request{}); !slices.Equal(report.FieldsMissing, []string{"phon"}) {
		t.Errorf("a run that reads nothing forgets it: %v", report.FieldsMissing)
	}
	w.write(t, "b.csv", "user_id,email,phon\nu1,two@x.io,\nu2,b@x.io,\nu3,c@x.io,\n")
	if report := w.sync(t, inputs.Request{}); len(report.FieldsMissing) != 0 {
		t.Errorf("%v", report.FieldsMissing)
	}
	w.write(t, "b.csv", `{"user_id":"u3","email":"c@x.io"}`+"\n")
	if report := w.sync(t, inputs.Request{}); !slices.Equal(report.FieldsMissing, []string{"phon"}) {
		t.Errorf("JSON that has it in no line: %v", report.FieldsMissing)
	}
}

// TestFieldsOfUnanswered: fields go along once more with what has no answer, and not again and again
// while some of it cannot be told, since its export is held or in no configuration any more.
func TestFieldsOfUnanswered(t *testing.T) {
	for name, takeAway := range map[string]func(*world){
		"held":           func(w *world) { w.write(t, "b.csv", "") },
		"not configured": func(w *world) { w.options.Exports = w.options.Exports[:1] },
	} {
		w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
		w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
		w.write(t, "a.csv", "user_id,email\nu1,one@x.io\n")
		w.write(t, "b.csv", "user_id\nu1\n")
		w.sync(t, inputs.Request{})
		if _, err := state.Resend(w.runner(t).store, []string{"u1"}); err != nil {
			t.Fatal(err)
		}
		takeAway(w)
		for run, calls := range []int{1, 0, 0} {
			w.write(t, "a.csv", "user_id,email\nu1,one@x.io\n")
			if report := w.sync(t, inputs.Request{}); report.Calls.Identify != calls {
				t.Errorf("%s: run %d made %d calls, want %d", name, run, report.Calls.Identify, calls)
			}
		}
	}
}
