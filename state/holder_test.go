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
		return Running{Run: "run-1", Command: "sync", Started: began, Phase: "sending", Done: done, Total: 9, At: began.Add(time.Second + after), Since: began.Add(time.Second)}
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
	} else if r := h.Running; r.Rate() != 1.5 || r.Left(r.At) != 4*time.Second || r.Left(r.At.Add(3*time.Second)) != time.Second || r.Left(r.At.Add(time.Hour)) != 0 {
		t.Errorf("%v a second, %v left at first", r.Rate(), r.Left(r.At))
	}
	if r := (Running{Done: 3, Total: 9, At: began}); r.Rate() != 0 || r.Left(began) != 0 {
		t.Errorf("it does not say since when, and %v a second are known", r.Rate())
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
	began := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
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
		if lost, err := FindLost(open(t, s.path)); err != nil || lost == nil || lost.Run != "run-1" || lost.Contacts != 2 {
			t.Fatalf("before the next run: %+v, %v", lost, err)
		}
	}
	next := open(t, s.path)
	release := next.mustLock(t)
	lost, err := Lost(next)
	want := LostRun{Run: "run-1", Command: "sync", Started: began, Last: began.Add(time.Second), Contacts: 2, Calls: 2}
	if err != nil || lost == nil || *lost != want {
		t.Fatalf("got %+v, %v, want %+v", lost, err, want)
	}
	if err := KeepReport(next, lost.Run, []byte(`{"run":"run-1"}`), json.RawMessage(`{}`)); err != nil {
		t.Fatal(err)
	}
	release()
	release = next.mustLock(t)
	defer release()
	if lost, err := Lost(next); lost != nil || err != nil {
		t.Errorf("got %+v, %v: it is told twice", lost, err)
	}
	if lost, err := FindLost(open(t, s.path)); lost != nil || err != nil {
		t.Errorf("found %+v, %v: its report is stored", lost, err)
	}
	if report, err := next.Report("run-1"); err != nil || string(report) != `{"run":"run-1"}` {
		t.Errorf("got %s, %v", report, err)
	}
	if _, err := Verify(next); err != nil {
		t.Error(err)
	}
}

// TestLostProcess: a run is lost once its process is gone, also if another one has its number, and
// one on another machine once it says nothing any more. One whose report is stored never is.
func TestLostProcess(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	for name, test := range map[string]struct {
		pid       int
		host, run string
		since, at time.Time
		lost      bool
	}{
		"this process":                     {os.Getpid(), host, "run-9", now, now, false},
		"gone":                             {1 << 30, host, "run-9", now, now, true},
		"its number is another one's":      {os.Getpid(), host, "run-9", now.AddDate(0, 0, -1), now.AddDate(0, 0, -1), true},
		"another machine":                  {1, "elsewhere", "run-9", now, now, false},
		"another machine that is silent":   {1, "elsewhere", "run-9", now, now.Add(-time.Hour), true},
		"it is the one before the present": {os.Getpid(), host, "run-9", now, now.Add(-time.Hour), true},
		"killed behind its end":            {1 << 30, host, "run-1", now, now, false},
	} {
		s := newStore(t)
		release := s.mustLock(t)
		if err := s.Finish(Result{Run: "run-1", Report: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		release()
		f := readLockFile(s.path + ".lock")
		f.PID, f.Host, f.Since, f.Running = test.pid, test.host, test.since, &Running{Run: test.run, Command: "sync", Started: test.since, At: test.at}
		text, err := json.Marshal(f)
		if err == nil {
			err = overwrite(holderPath(s.path+".lock"), text)
		}
		if err != nil {
			t.Fatal(err)
		}
		lost, err := FindLost(open(t, s.path))
		if err != nil || (lost != nil) != test.lost {
			t.Errorf("%s: lost is %+v, %v", name, lost, err)
		}
		if h := HolderOf(s.path); h != nil && test.lost {
			t.Errorf("%s: it is lost, and %+v holds the lock", name, h)
		}
	}
}

// kill lets the lock go as the end of a process does.
func (k *keeper) kill() {
	_ = k.flock.Unlock()
	k.flock = nil
}
