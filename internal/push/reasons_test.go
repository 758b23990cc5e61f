package push

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestReasons: a reason is logged at once, and again with its number at the end, however many
// contacts there are.
func TestReasons(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	r := reasons{what: "a contact"}
	for i := range 1000 {
		r.add(log, fmt.Sprint("reason ", i%3/2)) // 0 twice as often as 1
	}
	r.add(log, "once")
	if n := strings.Count(text.String(), "\n"); n != 3 {
		t.Errorf("%d lines before the end, want 3:\n%s", n, &text)
	}
	text.Reset()
	r.end(log)
	got := text.String()
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, `times=667 reason="reason 0"`) || !strings.Contains(got, `times=333 reason="reason 1"`) {
		t.Errorf("at the end:\n%s", got)
	}
}
