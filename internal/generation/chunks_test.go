package generation

import (
	"slices"
	"strings"
	"testing"
)

// TestChunks: all ids come once, in their order, and a chunk is never too much for a statement.
func TestChunks(t *testing.T) {
	long := slices.Repeat([]string{strings.Repeat("x", 1024)}, 1500)
	for name, ids := range map[string][]string{"none": nil, "one": {"a"}, "many": strings.Split(strings.Repeat("a ", 2500), " "), "long": long} {
		var got []string
		for some := range chunks(ids) {
			if size := len(strings.Join(some, "")); len(some) == 0 || len(some) > someIDs || size > someBytes+1024 {
				t.Errorf("%s: %d ids of %d bytes", name, len(some), size)
			}
			got = append(got, some...)
		}
		if !slices.Equal(got, ids) {
			t.Errorf("%s: %d ids of %d", name, len(got), len(ids))
		}
	}
}
