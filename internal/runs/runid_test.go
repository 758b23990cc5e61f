package runs

import (
	"strings"
	"testing"
)

// TestNewID: ids sort in the order of the runs, also when the clock was set back.
func TestNewID(t *testing.T) {
	former := NewID("")
	for range 1000 {
		id := NewID(former)
		if id <= former {
			t.Fatalf("%s after %s", id, former)
		}
		former = id
	}
	if got := NewID("20990101T000000.000009Z-ffff"); got[:len(idTime)] != "20990101T000000.000010Z" {
		t.Errorf("after a clock that was ahead: %s", got)
	}
	for _, rubbish := range []string{"x", "no id at all, but long enough for one", "99999999T999999.999999Z-ffff"} {
		if got := NewID(rubbish); !strings.HasPrefix(got, "20") {
			t.Errorf("after %q: %s", rubbish, got)
		}
		if at := Began(rubbish); !at.IsZero() {
			t.Errorf("%q began at %s", rubbish, at)
		}
	}
}
