package job

import (
	"maps"
	"slices"
	"testing"
	"time"

	"gleapsync/gleap"
	"gleapsync/internal/push"
	"gleapsync/state"
)

// TestApplied: an attribute counts once all of its contacts were told, and all contact fields that
// came along; one with exits that are withheld counts a run also where that was cut short.
func TestApplied(t *testing.T) {
	now := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	done, cut := &state.Applied{Fingerprint: "done"}, &state.Applied{WithheldRuns: 3}
	j := Job{Fields: make([]Field, FieldCount), Attributes: []Attribute{
		{ID: 0, Left: 2, Done: done}, {ID: 1, Left: 1, Done: done, HasFields: true}, {ID: 2, Left: 1, Done: done, CutShort: cut}, {ID: 3},
	}}
	j.Fields[gleap.Email].Left = 4
	for name, test := range map[string]struct {
		sent *push.Result
		want map[uint32]string
	}{
		"everything": {nil, map[uint32]string{0: "done", 1: "done", 2: "done"}},
		"nothing":    {&push.Result{Told: []int{0, 0, 0, 0}}, map[uint32]string{2: ""}},
		"the values": {&push.Result{Told: []int{2, 1, 1, 0}}, map[uint32]string{0: "done", 2: "done"}},
		"all of it":  {&push.Result{Told: []int{1, 1, 0, 0}, Fields: [FieldCount]int{gleap.Email: 4}}, map[uint32]string{1: "done", 2: ""}},
	} {
		got := map[uint32]string{}
		for id, applied := range j.Applied(now, test.sent) {
			got[id] = applied.Fingerprint
			if (applied.Fingerprint == "done") != applied.At.Equal(now) {
				t.Errorf("%s: %d at %s", name, id, applied.At)
			}
		}
		if !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestFieldsAfter: a contact field counts as delivered once its contacts were told, or if it did
// before, or if the state came to know it since.
func TestFieldsAfter(t *testing.T) {
	j := Job{Fields: make([]Field, FieldCount)}
	j.Fields[gleap.Email] = Field{Delivers: true, Left: 2}
	j.Fields[gleap.Phone] = Field{Before: true}
	for name, test := range map[string]struct {
		known []byte
		sent  *push.Result
		want  []byte
	}{
		"everything":       {nil, nil, []byte{byte(gleap.Email), byte(gleap.Phone)}},
		"a part":           {[]byte{}, &push.Result{Fields: [FieldCount]int{gleap.Email: 1}}, []byte{byte(gleap.Phone)}},
		"a part, as known": {[]byte{byte(gleap.Phone)}, &push.Result{}, nil},
		"known since":      {[]byte{byte(gleap.Lang)}, nil, []byte{byte(gleap.Email), byte(gleap.Phone), byte(gleap.Lang)}},
	} {
		if got := j.FieldsAfter(test.known, test.sent); !slices.Equal(got, test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
