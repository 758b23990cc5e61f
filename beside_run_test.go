package main

import (
	"strings"
	"testing"
	"time"

	"gleapsync/state"
)

// TestAskedWhileRunning: who looks at plans and runs while a run goes on is told so.
func TestAskedWhileRunning(t *testing.T) {
	t.Parallel()
	gleap := newGleap(0, 0)
	defer gleap.Close()
	p := newProject(t, gleap.URL, "", "u1")
	if code, written := p.run(t, "sync"); code != 0 {
		t.Fatal(written)
	}
	questions := map[string]string{
		"plan":              "what it sends meanwhile is in this plan too.",
		"plan --changes":    "what it sends meanwhile is in this plan too.",
		"inspect runs":      "it is not among these yet.",
		"inspect runs last": "what stands here is the run before.",
		"inspect":           "sending, 5 of 100",
	}
	for question := range questions {
		if _, written := p.run(t, strings.Fields(question)...); strings.Contains(written, "goes on") {
			t.Errorf("%s: %s", question, written)
		}
	}
	store, err := state.Open(state.Options{Path: p.path("gleapsync.db"), Project: "p"})
	if err != nil {
		t.Fatal(err)
	}
	release, err := store.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	now := time.Now().UTC()
	store.Say(state.Running{Run: "20991231T000000.000000Z-0000", Command: "sync", Started: now, Phase: "sending", Done: 5, Total: 100, At: now})
	for question, want := range questions {
		if _, written := p.run(t, strings.Fields(question)...); !strings.Contains(written, want) || !strings.Contains(written, "sending, 5 of 100") {
			t.Errorf("%s: %s", question, written)
		}
		if _, written := p.run(t, append(strings.Fields(question), "--output", "json")...); strings.Contains(written, "goes on") {
			t.Errorf("%s as JSON: %s", question, written)
		}
	}
}
