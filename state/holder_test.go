package state

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"gleapsync/internal/attr"
)

// TestRunning: others see the run that holds the lock, and one that was killed is told once.
func TestRunning(t *testing.T) {
	s := newStore(t)
	began := time.Now().UTC().Truncate(time.Second)
	says := func(done int, after time.Duration) Running {
		return Running{Run: "run-1", Command: "sync", Started: began, Phase: "sending", Done: done, Total: 9, At: began.Add(time.Second + after)}
	}
	release := s.mustLock(t)
	if h := HolderOf(s.path); h != nil {
		t.Errorf("got %+v before the run said anything", h)
	}
	s.Say(says(1, 0))
	s.Say(says(2, sayEvery/2)) // too soon
	h := HolderOf(s.path)
	if h == nil || h.PID != os.Getpid() || h.Running != says(1, 0) {
		t.Fatalf("got %+v, want %+v", h, says(1, 0))
	}
	s.Say(says(3, 2*sayEvery))
	if h := HolderOf(s.path); h == nil || h.Running.Done != 3 {
		t.Errorf("got %+v, want 3 done", h)
	}
	release()
	if h := HolderOf(s.path); h != nil {
		t.Errorf("got %+v after the run", h)
	}
}

// TestLost: what a run that was killed delivered is known, until its report is stored; a command
// in between does not lose it.
func TestLost(t *testing.T) {
	s := newStore(t)
	began := time.Now().UTC().Truncate(time.Second)
	s.mustLock(t) // and never released
	s.Say(Running{Run: "run-1", Command: "sync", Started: began, Phase: "sending", At: began.Add(time.Second)})
	for _, id := range []string{"u1", "u2"} {
		a := ack(id, 0, attr.OfBool(true))
		a.Last = true
		if _, err := s.Commit(Delivery{Run: "run-1", Acks: []Acknowledgement{a}}); err != nil {
			t.Fatal(err)
		}
	}
	s.keeper.kill()

	for range 2 { // commands that are no runs
		other := open(t, s.path)
		other.mustLock(t)()
	}
	next := open(t, s.path)
	release := next.mustLock(t)
	lost, err := Lost(next)
	want := LostRun{Run: "run-1", Command: "sync", Started: began, Last: began.Add(time.Second), Contacts: 2, Calls: 2}
	if err != nil || lost == nil || *lost != want {
		t.Fatalf("got %+v, %v, want %+v", lost, err, want)
	}
	if err := KeepLost(next, lost.Run, []byte(`{"run":"run-1"}`), json.RawMessage(`{}`)); err != nil {
		t.Fatal(err)
	}
	release()
	release = next.mustLock(t)
	defer release()
	if lost, err := Lost(next); lost != nil || err != nil {
		t.Errorf("got %+v, %v: it is told twice", lost, err)
	}
	if report, err := next.Report("run-1"); err != nil || string(report) != `{"run":"run-1"}` {
		t.Errorf("got %s, %v", report, err)
	}
	if _, err := Verify(next); err != nil {
		t.Error(err)
	}
}

// kill lets the lock go as the end of a process does.
func (k *keeper) kill() {
	_ = k.flock.Unlock()
	k.flock = nil
}
