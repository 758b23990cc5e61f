package metrics

import (
	"cmp"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/inspect"
	"gleapsync/internal/replica"
	"gleapsync/internal/runs"
)

// Snapshot is what the metrics are made of.
type Snapshot struct {
	Overview *inspect.Overview // nil: the state cannot be read
	Last     *runs.Report      // the last sync, nil: there was none
	Replica  time.Time         // when the state was kept in its replica last, as far as is known; zero: never
}

// Read reads a snapshot of a state. last is the last sync that the caller knows of, nil
// if of none: the state may not have it.
func Read(v *inspect.View, last *runs.Report) Snapshot {
	o, err := v.Overview()
	stored, lastErr := v.LastSync()
	if err != nil || lastErr != nil {
		return Snapshot{Last: last}
	}
	return NewSnapshot(&o, stored, last)
}

// NewSnapshot returns a snapshot of a state's overview, and of the later one of the last
// sync that the state has and the last one that the caller knows of.
func NewSnapshot(o *inspect.Overview, stored, last *runs.Report) Snapshot {
	switch {
	case stored == nil:
	case last == nil || last.Recorded || stored.Finished.After(last.Finished):
		last = stored // it is also about the exports that the last sync did not look at
	case len(last.Exports) == 0: // it could not begin: what was held or left over still is
		merged := *last
		merged.Exports, merged.Classes = stored.Exports, stored.Classes
		last = &merged
	}
	return Snapshot{o, last, replica.Kept(o.State)}
}

// Collector makes metrics of snapshots, for [Write] and [Publish].
type Collector struct {
	version string
	read    func() Snapshot
}

// NewCollector returns a collector that calls read for each scrape.
func NewCollector(version string, read func() Snapshot) *Collector {
	return &Collector{version, read}
}

var (
	buildInfo     = describe("build_info", "1; the label is gleapsync's version.", "version")
	stateReadable = describe("state_readable", "1 if the state file can be read, else 0.")
	stateBytes    = describe("state_bytes", "Size of the state file in bytes.")
	replicaTime   = describe("replica_timestamp_seconds", "When the state was kept in its replica last; the replica's age is time() minus it.")
	resyncing     = describe("resyncing", "1 as long as a first sync or a full resync is not complete, else 0.")
	parked        = describe("parked_contacts", "Contacts whose calls Gleap refused for good.")

	allRuns      = describe("runs_total", "Runs by outcome.", "outcome")
	calls        = describe("calls_total", "Calls to Gleap by result.", "result")
	retries      = describe("call_retries_total", "Attempts after a call's first one.")
	rateLimited  = describe("rate_limited_total", "Answers of Gleap with status 429.")
	dueEvents    = describe("due_events", "Events that Gleap did not acknowledge yet.")
	parkedEvents = describe("parked_events", "Events that Gleap refused for good.")
	events       = describe("events_total", "Events by result.", "result")
	lastSuccess  = describe("last_success_timestamp_seconds", "When the last sync that delivered everything ended; it stays while syncs fail.")

	lastRun       = describe("last_run_timestamp_seconds", "When the last sync ended.")
	lastOutcome   = describe("last_run_outcome", "1 for the outcome of the last sync, 0 for all others.", "outcome")
	lastPlan      = describe("last_run_plan_seconds", "How long the last sync's plan took.")
	lastPush      = describe("last_run_push_seconds", "How long the last sync's calls took.")
	lastContacts  = describe("last_run_contacts", "Contacts that the last sync planned, by class: delta has changes of what was delivered before, backfill first deliveries only.", "class")
	lastSent      = describe("last_run_contacts_sent", "Contacts that Gleap acknowledged in the last sync.")
	lastRemaining = describe("last_run_contacts_remaining", "Contacts that the last sync left for the next one.")

	leftSince  = describe("remaining_since_timestamp_seconds", "When the run began since which each sync has left contacts of the class over; 0 if none are left.", "class")
	converging = describe("converging", "0 if more changes came with each of the last three syncs than fit, else 1.")

	members  = describe("attribute_members", "Contacts for which Gleap acknowledged true (audience) or a value (trait).", "key", "kind")
	entered  = describe("last_run_attribute_entered", "Contacts that entered an audience or got a value that is new or different in the last sync.", "key", "kind")
	exited   = describe("last_run_attribute_exited", "Contacts that left an audience or lost a value in the last sync.", "key", "kind")
	dataTime = describe("export_data_timestamp_seconds", "Time of the data that were last delivered as a whole; their age is time() minus it.", "key", "kind")
	tracked  = describe("last_run_export_events", "Events of an export that were new in the last sync.", "key")
	held     = describe("export_held", "1 if a guard held the export in the last sync, else 0.", "key", "kind")
	withheld = describe("export_withheld", "Exits and cleared values that the last sync withheld, since not all of the export could be read.", "key", "kind")
)

var outcomes = []runs.Outcome{runs.Complete, runs.Partial, runs.Held, runs.Failed, runs.Interrupted, runs.Lost}

func (c *Collector) collect(s samples) {
	from := c.read()
	s.set(buildInfo, 1, c.version)
	s.set(stateReadable, truth(from.Overview != nil))
	if from.Overview != nil {
		s.overview(from.Overview)
	}
	if !from.Replica.IsZero() {
		s.set(replicaTime, unix(from.Replica))
	}
	if from.Last != nil {
		s.last(from.Last)
	}
}

func (s samples) overview(o *inspect.Overview) {
	s.set(stateBytes, float64(o.Bytes))
	s.set(resyncing, truth(o.Resyncing))
	s.set(parked, float64(o.Parked))
	s.set(dueEvents, float64(o.DueEvents))
	s.set(parkedEvents, float64(o.ParkedEvents))
	s.set(events, float64(o.History.Events.Sent), "acknowledged")
	s.set(events, float64(o.History.Events.Refused), "refused")
	for _, outcome := range outcomes {
		s.set(allRuns, float64(o.History.Runs[outcome]), string(outcome))
	}
	s.set(calls, float64(o.History.Calls.Identify+o.History.Calls.Track), "acknowledged")
	s.set(calls, float64(o.History.Calls.Refused), "refused")
	s.set(retries, float64(o.History.Calls.Retried))
	s.set(rateLimited, float64(o.History.Calls.RateLimited))
	if success := o.History.LastSuccess; success != nil {
		s.set(lastSuccess, unix(success.Finished))
	}
	for _, a := range o.Attributes {
		s.set(members, float64(a.Members), a.Key, string(a.Kind))
		if !a.AsOf.IsZero() {
			s.set(dataTime, unix(a.AsOf), a.Key, string(a.Kind))
		}
	}
}

func (s samples) last(r *runs.Report) {
	s.set(lastRun, unix(r.Finished))
	for _, outcome := range outcomes {
		s.set(lastOutcome, truth(outcome == r.Outcome), string(outcome))
	}
	s.set(lastSent, float64(r.Contacts.Sent))
	if r.Outcome != runs.Lost { // of one that was lost nobody knows these
		s.set(lastPlan, r.PlanSeconds)
		s.set(lastPush, r.PushSeconds)
		s.set(lastContacts, float64(r.Contacts.Delta), "delta")
		s.set(lastContacts, float64(r.Contacts.Backfill), "backfill")
		s.set(lastRemaining, float64(r.Contacts.Remaining))
	}
	for _, c := range r.Classes {
		var since float64
		if at := runs.Began(cmp.Or(c.Since, r.Run)); c.Left > 0 && !at.IsZero() {
			since = unix(at)
		}
		s.set(leftSince, since, c.Class.String())
	}
	s.set(converging, truth(r.Convergence == ""))
	for _, x := range r.Exports {
		s.set(held, truth(x.Status == runs.StatusHeld), x.Key, string(x.Kind))
		if x.Kind == runs.KindTrack {
			s.set(tracked, float64(x.Events), x.Key)
		}
		if !x.IsAttribute() {
			continue
		}
		s.set(withheld, float64(x.Withheld), x.Key, string(x.Kind))
		in := x.Entered
		if x.Kind == engage.Trait {
			in = x.Changed
		}
		s.set(entered, float64(in), x.Key, string(x.Kind))
		s.set(exited, float64(x.Exited), x.Key, string(x.Kind))
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
