package sync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/forms"
	"gleapsync/internal/inputs"
)

// TestForms: every run says which forms contacts may still have that are not the present
// one, through changes back and forth, resyncs that are cut short, and runs that send
// nothing.
func TestForms(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	sent := 0
	day := func(form gleap.BooleanAs, request inputs.Request, calls int, want string) {
		t.Helper()
		w.options.BooleanAs = form
		f := &fakeGleap{after: func(n int) error {
			if n > calls {
				return context.DeadlineExceeded
			}
			return nil
		}}
		sent++
		if calls > 0 {
			w.write(t, "a.csv", list("u1", "u2", fmt.Sprint("v", sent)))
		}
		report, _ := w.with(t, f).Sync(t.Context(), request)
		o, err := w.runner(t).store.Overview()
		if err != nil {
			t.Fatal(err)
		}
		told, err := forms.Notes(o, o.Epoch, form)
		got := strings.Join(report.Notes, "") + "|" + strings.Join(told, "")
		short := ""
		for _, part := range strings.Split(got, "|") {
			_, part, _ = strings.Cut(part, "told as ")
			part, _, _ = strings.Cut(part, ":")
			short += "|" + part
		}
		if short != want || err != nil {
			t.Errorf("day %d: got %s, want %s, %v", sent, short, want, err)
		}
	}
	const all = 100
	day(gleap.AsText, inputs.Request{}, 1, "||") // the first sync, cut short
	day(gleap.AsText, inputs.Request{}, all, "||")
	day(gleap.AsBoolean, inputs.Request{}, 0, `|"text"|"text"`) // nothing is sent
	day(gleap.AsText, inputs.Request{}, all, "||")
	day(gleap.AsBoolean, inputs.Request{}, all, `|"text"|"text"`)
	day(gleap.AsText, inputs.Request{}, all, `|"boolean"|"boolean"`)
	day(gleap.AsNumber, inputs.Request{}, all, `|"boolean" and "text"|"boolean" and "text"`)
	day(gleap.AsNumber, inputs.Request{Full: true, Only: []string{"a"}}, all, `|"boolean" and "text"|"boolean" and "text"`)
	day(gleap.AsText, inputs.Request{Full: true}, 1, "||") // cut short, in another form
	day(gleap.AsNumber, inputs.Request{}, all, `|"text"|"text"`)
	day(gleap.AsNumber, inputs.Request{Full: true}, all, "||")
	day(gleap.AsNumber, inputs.Request{}, all, "||")
}

// TestFormsOfEarlierVersions: a state that knows no forms has booleans.
func TestFormsOfEarlierVersions(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list())
	w.options.BooleanAs = gleap.AsText
	if report := w.sync(t, inputs.Request{}); report.Notes != nil {
		t.Errorf("without members: %s", report.Notes)
	}
	w.options.BooleanAs = gleap.AsBoolean
	w.write(t, "a.csv", list("u1"))
	w.sync(t, inputs.Request{})
	if o, err := w.runner(t).store.Overview(); err != nil || o.Booleans != nil {
		t.Errorf("booleans are remembered: %s, %v", o.Booleans, err)
	}
	w.options.BooleanAs = gleap.AsText
	if report, err := w.runner(t).Plan(t.Context(), inputs.Request{}); err != nil || len(report.Notes) != 1 {
		t.Errorf("%s, %v", report.Notes, err)
	}
	w.write(t, "a.csv", list("u1", "u2"))
	broken := errors.New("broken")
	if _, err := w.with(t, &fakeGleap{after: func(int) error { return broken }}).Sync(t.Context(), inputs.Request{}); !errors.Is(err, broken) {
		t.Error(err)
	}
	o, err := w.runner(t).store.Overview() // before the first call, which may have arrived
	if err != nil || string(o.Booleans) != `{"boolean":1,"text":1}` {
		t.Errorf("%s, %v", o.Booleans, err)
	}
}
