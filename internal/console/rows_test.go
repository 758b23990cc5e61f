package console

import (
	"fmt"
	"strings"
	"testing"
)

// TestNarrow: a terminal that is too narrow loses columns that say nothing first, then values are
// cut, and keys last; what differs never looks the same.
func TestNarrow(t *testing.T) {
	write := func(width int, header []string, cells ...[]any) string {
		r := newRows(header...)
		for _, row := range cells {
			r.add(row...)
		}
		var b strings.Builder
		r.write(Out{Writer: &b, Width: width})
		return b.String()
	}
	header := []string{"KEY~", "KIND?", "ENTERED>", "CHANGED>", "STATUS"}
	var all [][]any
	for n := range 55 {
		all = append(all, []any{fmt.Sprintf("campaign_2026_q%02d_responders", n), "audience", n, "-", "applied"})
	}
	got := write(36, header, all...)
	if strings.Contains(got, "KIND") || strings.Contains(got, "CHANGED") {
		t.Error(got)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(got) {
		key, _, _ := strings.Cut(line, " ")
		if seen[key] {
			t.Fatalf("%s is there twice:\n%s", key, got)
		}
		seen[key] = true
	}
	if got := write(0, header, []any{"vip", "audience"}); !strings.HasSuffix(got, "\nvip  audience\n") {
		t.Errorf("%q", got)
	}
	values := []string{"KEY~", "ACKNOWLEDGED~", "PRESENT EXPORT~", "NEXT RUN"}
	got = write(60, values, []any{"last_order_of_the_customer", `"2026-11-30T00:10:00Z"`, `"2026-11-30T00:20:00Z"`, "nothing"})
	if !strings.Contains(got, "10:00Z") || !strings.Contains(got, "20:00Z") {
		t.Error(got)
	}
	if got := write(50, values, []any{"score", strings.Repeat("a", 40), strings.Repeat("b", 40), "nothing"}); !strings.Contains(got, "…") {
		t.Error(got)
	}
}

// TestBlocks: a few rows that a terminal has no room for are shown whole, line by line.
func TestBlocks(t *testing.T) {
	r := newRows("KEY~", "ACKNOWLEDGED~", "BY RUN?")
	r.add("vip", "true", "20261130T005054Z")
	var b strings.Builder
	r.blocks(Out{Writer: &b, Width: 20})
	if want := "vip\n  acknowledged  true\n  by run        20261130T005054Z\n"; b.String() != want {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	if left := r.write(Out{Writer: &b, Width: 30}); len(left) != 1 || left[0] != "BY RUN" {
		t.Errorf("%q: %s", left, b.String())
	}
}
