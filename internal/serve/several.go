package serve

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	stdsync "sync"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/projects"
	"gleapsync/internal/runs"
)

// SeveralOptions say what a server of several projects does.
type SeveralOptions struct {
	Now     bool // run each project once at start
	AtOnce  int  // how many runs go on at a time
	Version string
	Log     *slog.Logger
	// Find reads the configurations of all projects.
	Find func() ([]*projects.Project, error)
	// Job returns what the server of one of them does.
	Job func(*projects.Project) Job
	// Reload wakes the server to read all configurations anew.
	Reload <-chan os.Signal
}

// Job is what the server of one of several projects does.
type Job struct {
	Log *slog.Logger
	// Usable says what is wrong with a configuration that was read.
	Usable func(*config.Config) error
	// Run is that of [Options].
	Run func(ctx context.Context, cfg *config.Config, watch func(runs.Progress)) (runs.Report, error)
}

// Several is a server of each project, below one page. Each has its own schedule, which is
// spread by its name, and its own state; what they share is the memory, so that only a few runs
// go on at a time.
type Several struct {
	*desk
	o     SeveralOptions
	turns chan struct{} // taken by runs
	mu    stdsync.Mutex
	all   []*member // in the order of their paths
}

// member is one of several projects.
type member struct {
	path    string
	label   string  // until there is a server
	server  *Server // nil: the configuration could not be used so far
	problem string  // why
	serves  bool    // it was begun to serve
	reload  chan os.Signal
}

// findEvery is how often the server looks for new configurations.
const findEvery = time.Minute

// NewSeveral returns a server of all projects there are. It fails if none can be served.
func NewSeveral(o SeveralOptions) (*Several, error) {
	s := &Several{desk: newDesk(o.Log), o: o, turns: make(chan struct{}, o.AtOnce)}
	if err := s.find(); err != nil {
		return nil, err
	}
	var problems []error
	for _, m := range s.all {
		if m.server != nil {
			return s, nil
		}
		problems = append(problems, errors.New(m.problem))
	}
	return nil, errors.Join(problems...)
}

// Serve runs the schedules of all projects until ctx ends. A configuration that comes later, or
// is mended, is served from then on.
func (s *Several) Serve(ctx context.Context) {
	var servers stdsync.WaitGroup
	defer servers.Wait()
	for {
		for _, m := range s.members() {
			if m.server != nil && !m.serves {
				m.serves = true
				servers.Go(func() { m.server.Serve(ctx) })
			}
		}
		timer := time.NewTimer(findEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case signal := <-s.o.Reload:
			timer.Stop()
			for _, m := range s.members() {
				select {
				case m.reload <- signal:
				default: // it has one to come
				}
			}
		case <-timer.C:
		}
		if err := s.find(); err != nil {
			s.o.Log.Error("the configurations cannot be read: those served go on", "error", err.Error())
		}
	}
}

// members returns what there is of each project.
func (s *Several) members() []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// find takes in configurations that are new, or can be used now. One that is served stays, also
// if its file is gone: its server says what is wrong.
func (s *Several) find() error {
	found, err := s.o.Find()
	if err != nil {
		return err
	}
	before := s.members()
	var all []*member
	for _, m := range before {
		if m.server != nil {
			all = append(all, m)
		}
	}
	for _, p := range found {
		var m *member
		if i := slices.IndexFunc(before, func(m *member) bool { return m.path == p.Path }); i >= 0 {
			m = before[i]
		}
		if m != nil && m.server != nil {
			continue
		}
		against(p, all)
		all = append(all, s.admit(p, m))
	}
	slices.SortFunc(all, func(a, b *member) int { return cmp.Compare(a.path, b.path) })
	s.mu.Lock()
	s.all = all
	s.mu.Unlock()
	return nil
}

// against holds a project against the configurations of others that are in force: one that cannot be
// read any more, or has another name now, is served all the same.
func against(p *projects.Project, all []*member) {
	for _, m := range all {
		if m.server != nil && m.path != p.Path {
			p.Against(m.server.config.Load())
		}
	}
}

// admit returns a new member for a project. known is what was there of it, nil: nothing.
func (s *Several) admit(p *projects.Project, known *member) *member {
	m := &member{path: p.Path, label: p.Label(), reload: make(chan os.Signal, 1)}
	job := s.o.Job(p)
	err := p.Err
	if err == nil {
		err = job.Usable(p.Config)
	}
	if err != nil {
		if m.problem = err.Error(); known == nil || known.problem != m.problem {
			job.Log.Error("the configuration cannot be used: the project is not served", "file", p.Path, "error", m.problem)
		}
		return m
	}
	m.server = New(Options{
		Config: spread(p.Config), Now: s.o.Now, Version: s.o.Version, Log: job.Log, Reload: m.reload,
		Load: func() (*config.Config, error) { return s.load(p.Path, job) },
		Run: func(ctx context.Context, cfg *config.Config, watch func(runs.Progress)) (runs.Report, error) {
			watch(runs.Progress{Phase: "waiting for other projects"})
			select {
			case s.turns <- struct{}{}:
			case <-ctx.Done():
				return runs.Report{}, context.Cause(ctx)
			}
			defer func() { <-s.turns }()
			watch(runs.Progress{Phase: "starting"})
			return job.Run(ctx, cfg, watch)
		},
	})
	m.server.desk, m.server.below, m.server.named = s.desk, below, p.Path
	return m
}

// load reads the configuration of one project anew. It is held against the others.
func (s *Several) load(path string, job Job) (*config.Config, error) {
	found, err := s.o.Find()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(found, func(p *projects.Project) bool { return p.Path == path })
	if i < 0 {
		return nil, errors.New("its file is gone: end the process, or put the file back")
	}
	p := found[i]
	against(p, s.members())
	if p.Err != nil {
		return nil, p.Err
	}
	return spread(p.Config), job.Usable(p.Config)
}

// spread has the runs of a project begin at another time than those of others.
func spread(c *config.Config) *config.Config {
	later := *c
	later.Schedule = c.Schedule.Spread(c.Sync.Project)
	return &later
}
