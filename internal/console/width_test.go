package console

import (
	"strings"
	"testing"
)

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text string
		most int
		want string
	}{
		{"order_completed_last_30days", 12, "order_…0days"},
		{"abcdé", 4, "ab…é"},
		{"short", 5, "short"},
		{"日本語のオーディエンス", 12, "日本語…ンス"},
		{"日本語", 6, "日本語"},
		{"e\u0301te\u0301_e\u0301te\u0301", 5, "e\u0301t…te\u0301"},
	} {
		if got := cut(test.text, test.most); got != test.want || width(got) > test.most {
			t.Errorf("%s in %d: %s", test.text, test.most, got)
		}
	}
}

// TestWide: a key of characters that take two columns makes no line longer than the terminal.
func TestWide(t *testing.T) {
	r := newRows("KEY~", "MEMBERS>", "STATUS")
	r.add("tres_lange_日本語のオーディエンス_with_many_more_words", 3, "applied")
	r.add("vip", 3, "applied")
	var b strings.Builder
	r.write(Out{Writer: &b, Width: 40})
	for line := range strings.Lines(b.String()) {
		if n := width(strings.TrimSuffix(line, "\n")); n > 40 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
