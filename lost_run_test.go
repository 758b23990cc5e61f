//go:build unix

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gleapsync/internal/runs"
)

// TestKilledIsSeen: a run that was killed is told at once, by everything that tells of runs, and
// not only after the next run; nothing else is lost of what is known of it.
func TestKilledIsSeen(t *testing.T) {
	t.Parallel() // it waits
	during(t, func(p *project, cmd *exec.Cmd) {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		for _, test := range []struct {
			args []string
			want string
		}{
			{[]string{"inspect"}, ", lost, "},
			{[]string{"inspect"}, "sent when it was heard of last"},
			{[]string{"inspect", "runs"}, " lost "},
			{[]string{"inspect", "runs", "last"}, "had been sent with"},
			{[]string{"report", "--out", p.path("report.html")}, "report.html"},
		} {
			if code, written := p.run(t, test.args...); code != 0 || !strings.Contains(written, test.want) || strings.Contains(written, "Running") {
				t.Errorf("%v: exit code %d: %s", test.args, code, written)
			}
		}
		if page, err := os.ReadFile(p.path("report.html")); err != nil || !strings.Contains(string(page), `<span class="pill lost">lost</span>`) {
			t.Errorf("the page does not say it: %v", err)
		}
		before := storedRuns(t, p)
		if len(before) != 1 || before[0].Outcome != runs.Lost || before[0].Mode != runs.First || before[0].Contacts.Sent == 0 || before[0].Started.IsZero() {
			t.Fatalf("got %+v", before)
		}
		if code, written := p.run(t, "resend", "user-000000"); code != 0 {
			t.Fatal(written)
		}
		after := storedRuns(t, p)
		if len(after) != 2 || after[0].Command != "resend" || after[1].Run != before[0].Run || after[1].Contacts != before[0].Contacts {
			t.Errorf("got %+v, want that of resend, and %+v", after, before)
		}
	})
}

func storedRuns(t *testing.T, p *project) (all []runs.Report) {
	t.Helper()
	code, written := p.run(t, "inspect", "runs", "--output", "json")
	if err := json.Unmarshal([]byte(written), &all); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s", code, err, written)
	}
	return all
}
