package sync

import (
	"time"

	"gleapsync/internal/runs"
	"gleapsync/state"
)

const (
	// lifeSign is after how long a run that has nothing new to say says at least that it goes on. Who
	// asks from another machine cannot see its process.
	lifeSign = 20 * time.Second
	// look is how often it is looked whether there is something new.
	look = time.Second
)

// announce tells others from now on how the run goes on, until stop is called.
func announce(store *state.Store, meter *runs.Meter, run, command string, started time.Time) (stop func()) {
	say := func(p runs.Progress) bool {
		return store.Say(state.Running{Run: run, Command: command, Started: started, Phase: p.Phase, Done: p.Done, Total: p.Total, At: time.Now().UTC()})
	}
	meter.Also(func(p runs.Progress) { say(p) })
	ended, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		ticks := time.NewTicker(look)
		defer ticks.Stop()
		var said runs.Progress
		for at := time.Now(); ; {
			select {
			case <-ticks.C:
				if p := meter.Progress(); (p != said || time.Since(at) >= lifeSign) && say(p) {
					said, at = p, time.Now()
				}
			case <-ended:
				return
			}
		}
	}()
	return func() {
		meter.Also(nil)
		close(ended)
		<-over
	}
}
