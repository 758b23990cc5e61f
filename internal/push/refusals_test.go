package push

import (
	"errors"
	"fmt"
	"testing"

	"gleapsync/gleap"
	"gleapsync/state"
)

func refusalOf(i, status int) *refusal {
	return &refusal{Parked: state.Parked{UserID: fmt.Sprint("u", i), Status: status, Reason: "it refused", Wanted: 1}}
}

// TestRefusals: the first ones are held back, until another answer proves that it is the
// contacts, or until they are too many. Then they are tried again by the next run.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		statuses []int // 200: Gleap took a call
		parked   []int // by each of them
		wanted   uint64
		stops    bool
	}{
		"a call that it takes":    {[]int{422, 422, 200, 422}, []int{0, 0, 2, 1}, 1, false},
		"one that it takes first": {[]int{200, 422, 422}, []int{0, 1, 1}, 1, false},
		"another status":          {[]int{422, 422, 400, 422}, []int{0, 0, 3, 1}, 1, false},
		"too many":                {repeat(404, sameRefusals), append(make([]int, sameRefusals-1), sameRefusals), 0, true},
		"almost":                  {append(repeat(404, sameRefusals-1), 422), append(make([]int, sameRefusals-1), sameRefusals), 1, false},
	} {
		var r refusals
		for i, status := range test.statuses {
			var park []*refusal
			var err error
			if status == 200 {
				park = r.prove()
			} else {
				park, err = r.add(refusalOf(i, status))
			}
			if len(park) != test.parked[i] {
				t.Errorf("%s: %d are parked by the answer %d, want %d", name, len(park), i, test.parked[i])
			}
			for _, p := range park {
				if p.Wanted != test.wanted {
					t.Errorf("%s: parked with the hash %d, want %d", name, p.Wanted, test.wanted)
				}
			}
			if stops := test.stops && i == len(test.statuses)-1; errors.As(err, new(*gleap.StopError)) != stops {
				t.Errorf("%s: %v behind the answer %d", name, err, i)
			}
		}
	}
}

func repeat(status, n int) (all []int) {
	for range n {
		all = append(all, status)
	}
	return all
}
