package metrics

// Live is what a process that serves is doing.
type Live struct {
	Running       bool
	Done, Planned int  // contacts of the run in flight; 0 until its plan is complete
	ConfigLoaded  bool // the configuration as it stands is the one in force
}

var (
	running      = describe("running", "1 while a run is in flight, else 0.")
	runDone      = describe("run_done", "Contacts that the run in flight has sent or parked.")
	runPlanned   = describe("run_planned", "Contacts that the run in flight planned.")
	configLoaded = describe("config_last_reload_successful", "1 if the configuration as it stands is in force, 0 if it cannot be used.")
)

// LiveCollector makes metrics of what a process is doing, for [Write].
type LiveCollector func() Live

func (c LiveCollector) collect(s samples) {
	l := c()
	s.set(running, truth(l.Running))
	s.set(runDone, float64(l.Done))
	s.set(runPlanned, float64(l.Planned))
	s.set(configLoaded, truth(l.ConfigLoaded))
}
