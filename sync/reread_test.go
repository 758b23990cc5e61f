package sync

import (
	"path/filepath"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/values"
)

// newReread returns a world in which u2 is about to be created by a, and has its field from b.
func newReread(t *testing.T) *world {
	w := newWorld(t, audience("a.csv", "a"), trait("b.csv", "b"))
	w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
	w.write(t, "a.csv", "user_id\nu1\n")
	w.write(t, "b.csv", "user_id,value,email\nu1,1,one@x.io\nu2,,two@x.io\nu3,3,x@x.io\n")
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", "user_id\nu1\nu2\n")
	return w
}

// A contact that --only created without its fields gets them once the other export is read.
func TestRereadFieldsOnly(t *testing.T) {
	w := newReread(t)
	w.sync(t, inputs.Request{Only: []string{"a"}})
	w.write(t, "b.csv", "user_id,value,email\nu1,1,one@x.io\nu2,,two@x.io\nu3,4,x@x.io\n")
	w.mustPlanAlike(t, inputs.Request{})
}

// The same where the export was held.
func TestRereadFieldsHeld(t *testing.T) {
	w := newReread(t)
	w.write(t, "b.csv", "nothing\n")
	w.sync(t, inputs.Request{})
	w.write(t, "b.csv", "user_id,value,email\nu1,1,one@x.io\nu2,,two@x.io\nu3,4,x@x.io\n")
	w.mustPlanAlike(t, inputs.Request{})
}

// Without any change of b the contact that --only created gets its fields, too.
func TestRereadFieldsOnlySame(t *testing.T) {
	w := newReread(t)
	w.sync(t, inputs.Request{Only: []string{"a"}})
	w.sync(t, inputs.Request{})
	if c := w.contacts()["u2"]; c != `{"a":true,"email":"two@x.io"}` {
		t.Error(c)
	}
	if r := w.sync(t, inputs.Request{}); r.Exports[1].Status != "unchanged" {
		t.Error(statuses(r))
	}
}

// The export of which a contact's field came is gone: that of the other one counts.
func TestRereadFieldsGone(t *testing.T) {
	w := newWorld(t, audience("c.csv", "c"), trait("b.csv", "b"))
	w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
	w.write(t, "c.csv", "user_id,email\nu1,c@x.io\n")
	w.write(t, "b.csv", "user_id,value,email\nu1,1,b@x.io\nu2,1,two@x.io\n")
	w.sync(t, inputs.Request{})
	w.options.Exports = w.options.Exports[1:]
	w.write(t, "b.csv", "user_id,value,email\nu1,1,b@x.io\nu2,2,two@x.io\n")
	w.mustPlanAlike(t, inputs.Request{})
}

// What is read as a text only where the attribute is one.
func TestRereadNaN(t *testing.T) {
	w := newWorld(t, trait("b.csv", "b"))
	w.write(t, "b.csv", "user_id,value\nu1,NaN\nu2,\nu3,\n")
	w.sync(t, inputs.Request{})
	w.write(t, "b.csv", "user_id,value\nu1,NaN\nu2,true\nu3,\n")
	w.mustPlanAlike(t, inputs.Request{})
}

func rowsOfCommand(w *world) inputs.Export {
	return inputs.Export{Export: engage.Export{
		Source: "rows of a command", Command: []string{"cat", filepath.Join(w.dir, "rows.csv")}, Changes: true, AllowEmpty: true, Cursor: "received_at", Timeout: time.Minute,
		Attributes: []engage.Attribute{{Kind: engage.Trait, Key: "score", Name: "score", Column: "score", Type: values.Auto}},
	}, KeepAbsent: true, Lag: 15 * time.Minute}
}

// The output of a command is cut off within its last row.
func TestRereadRowsCut(t *testing.T) {
	w := newWorld(t)
	w.options.Exports = append(w.options.Exports, rowsOfCommand(w))
	head := "id,user_id,received_at,score\n"
	w.write(t, "rows.csv", head+"1,u1,2024-01-01T00:00:00Z,100\n2,u2,2024-01-01T00:00:00Z,100\n")
	t.Log(statuses(w.sync(t, inputs.Request{})), w.contacts())
	w.write(t, "rows.csv", head+"4,u2,2024-01-03T00:00:00Z,2000\n3,u1,2024-01-02T00:00:00Z,15")
	r := w.sync(t, inputs.Request{})
	t.Log(statuses(r), r.Outcome, w.contacts())
	w.write(t, "rows.csv", head+"4,u2,2024-01-03T00:00:00Z,2000\n3,u1,2024-01-02T00:00:00Z,1500\n")
	r = w.sync(t, inputs.Request{})
	t.Log(statuses(r), r.Outcome, w.contacts())
	if c := w.contacts()["u1"]; c != `{"score":1500}` {
		t.Error(c)
	}
}

// Who was created while an export was not looked at, and is on no list any more, is told what it says.
func TestRereadKnownFlaps(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.withLists("known.csv")
	w.write(t, "known.csv", "user_id,x\nu1,\n")
	w.write(t, "a.csv", "user_id,x\nu1,\nu2,\n")
	w.write(t, "b.csv", "user_id,x\nu1,\nu2,\n")
	w.sync(t, inputs.Request{})
	w.write(t, "known.csv", "user_id,x\nu1,\nu2,\n")
	w.sync(t, inputs.Request{Only: []string{"b"}})
	w.write(t, "known.csv", "user_id,x\nu1,\n")
	t.Log(statuses(w.sync(t, inputs.Request{})))
	if c := w.contacts()["u2"]; c != `{"a":true,"b":true}` {
		t.Error(c)
	}
}
