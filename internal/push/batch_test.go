package push

import (
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/planfile"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// TestBatch: what is committed counts once, in the report and for what is left of each
// attribute.
func TestBatch(t *testing.T) {
	changes := []state.Change{{ID: 0}, {ID: 1}, {ID: 2}}
	var b batch
	if !b.isEmpty() {
		t.Error("a new batch is not empty")
	}
	b.acknowledge(&state.Acknowledgement{Attributes: changes[:2], Fields: []state.Field{{Field: byte(gleap.Email)}}}, runs.ClassExit) // one call more follows
	b.acknowledge(&state.Acknowledgement{Attributes: changes[2:], Last: true}, runs.ClassExit)
	b.acknowledge(&state.Acknowledgement{Attributes: changes[1:2], Last: true}, runs.ClassFirst)
	b.park(&refusal{left: planfile.Entry{
		Class: runs.ClassEntry, Attributes: changes[1:], Fields: []gleap.FieldText{{Field: gleap.Email}, {Field: gleap.Phone}}, News: make([]planfile.News, 2),
	}})
	b.track(&tracked{sent: make([]state.Event, 5)})
	b.track(&tracked{refused: true})
	b.track(&tracked{refused: true, parked: &state.ParkedEvent{}})
	if b.isEmpty() || b.isFull() {
		t.Error("it is empty or full")
	}
	report := runs.Report{Contacts: runs.ContactCounts{Remaining: 10}, Events: runs.EventCounts{Remaining: 10}}
	for class := range runs.Classes {
		report.Classes = append(report.Classes, runs.ClassReport{Class: class, Left: 10})
	}
	result := Result{Told: make([]int, 3)}
	b.count(&report, &result)
	if want := (runs.ContactCounts{Sent: 2, Remaining: 7}); report.Contacts != want {
		t.Errorf("contacts %+v, want %+v", report.Contacts, want)
	}
	if want := (runs.CallCounts{Identify: 3, Refused: 1, Track: 1}); report.Calls != want {
		t.Errorf("calls %+v, want %+v", report.Calls, want)
	}
	if want := (runs.EventCounts{Sent: 5, Refused: 1, Remaining: 2}); report.Events != want {
		t.Errorf("events %+v, want %+v", report.Events, want)
	}
	if got, want := [...]int{report.Classes[0].Left, report.Classes[1].Left, report.Classes[2].Left, report.Classes[3].Left}, [...]int{9, 9, 10, 9}; got != want {
		t.Errorf("left of the classes %v, want %v", got, want)
	}
	if got, want := [3]int(result.Told), [...]int{1, 3, 2}; got != want || result.Fields[gleap.Email] != 2 || result.Fields[gleap.Phone] != 1 {
		t.Errorf("told %v, want %v; fields %v", got, want, result.Fields)
	}
	b.reset()
	if !b.isEmpty() || b.done != [runs.Classes]int{} || b.requests != 0 || len(b.untold) != 0 {
		t.Errorf("something is left: %+v", b)
	}
}

// TestBatchIsFull: few contacts of many values fill a batch as many contacts of few values do, and the
// next one begins empty.
func TestBatchIsFull(t *testing.T) {
	for _, values := range []int{0, 1, 35, 150, 1000} {
		var b batch
		for range 2 {
			n := 0
			for ; !b.isFull() && n <= commitAt; n++ {
				b.acknowledge(&state.Acknowledgement{Attributes: make([]state.Change, values)}, runs.ClassFirst)
			}
			want := commitAt
			if values > 0 {
				want = min(want, (commitValues+values-1)/values)
			}
			if n != want {
				t.Errorf("%d values each: full with %d contacts, want %d", values, n, want)
			}
			b.reset()
		}
	}
}
